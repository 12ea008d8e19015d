// The editor works without this file. It paints variables, moves message blocks, and jumps to warnings.
// What stands in a field is never replaced by an answer of the server: only what the server adds is taken.

const form = document.querySelector("[data-editor]");
const list = document.getElementById("messages-list");
const TOKENS = /(\{\{[\s\S]*?\}\})|(\{%[\s\S]*?%\}|\{#[\s\S]*?#\})/g;

// Painting -------------------------------------------------------------------------------------------------

const warned = () => new Set([...document.querySelectorAll("[data-warn]")].map((row) => row.dataset.warn));

const kindOf = (match, names) => {
  if (!match[1]) return "tok-tag";
  const name = /^\{\{-?\s*([A-Za-z]\w*)/.exec(match[0])?.[1];
  return names.has(name) ? "tok-warn" : "tok-var";
};

const piece = (text, kind) => {
  if (!kind) return document.createTextNode(text);
  const node = document.createElement(kind === "tok-tag" ? "span" : "mark");
  node.className = kind;
  node.textContent = text;
  return node;
};

// Tags may span lines; a line holds the parts of the tags that cross it.
const lines = (text, names) => {
  const result = [[]];
  const add = (part, kind) => {
    part.split("\n").forEach((words, index) => {
      if (index) result.push([]);
      if (words) result.at(-1).push(piece(words, kind));
    });
  };
  let end = 0;
  for (const match of text.matchAll(TOKENS)) {
    add(text.slice(end, match.index), "");
    add(match[0], kindOf(match, names));
    end = match.index + match[0].length;
  }
  add(text.slice(end), "");
  return result;
};

const paint = (textarea, names = warned()) => {
  const rows = lines(textarea.value, names).map((parts) => {
    const row = document.createElement("i");
    row.append(...parts);
    return row;
  });
  textarea.previousElementSibling.replaceChildren(...rows);
};

const paintAll = () => {
  const names = warned();
  list.querySelectorAll(".code-edit__input").forEach((textarea) => paint(textarea, names));
};

form.addEventListener("input", (event) => {
  if (event.target.matches(".code-edit__input")) paint(event.target);
});

// Message blocks -------------------------------------------------------------------------------------------

const blocks = () => [...list.querySelectorAll("[data-message]")];

const LABELS = {
  role: (number) => `Role of message ${number}`,
  up: (number) => `Move message ${number} up`,
  down: (number) => `Move message ${number} down`,
  copy: (number) => `Duplicate message ${number}`,
  drop: (number) => `Delete message ${number}`,
};

const renumber = () => {
  const all = blocks();
  all.forEach((block, index) => {
    const number = index + 1;
    const role = block.querySelector("[name=role]");
    const name = role.selectedOptions ? role.selectedOptions[0].text : "Text";
    block.id = `message-${number}`;
    block.setAttribute("aria-label", `Message ${number}, ${name}`);
    for (const part of block.querySelectorAll("[data-n]")) {
      const what = part.dataset.n;
      part.id = `${what}-${number}`;
      if (LABELS[what]) part.setAttribute("aria-label", LABELS[what](number));
      if (what === "content") part.setAttribute("aria-label", `${name} message ${number}`);
      if (part.name === "action") part.value = `${what}:${index}`;
    }
    block.querySelector("[data-n=up]").disabled = index === 0;
    block.querySelector("[data-n=down]").disabled = index === all.length - 1;
    block.querySelector("[data-n=drop]").disabled = all.length === 1;
  });
  list.dispatchEvent(new Event("input", { bubbles: true }));
};

const duplicate = (block) => {
  const twin = block.cloneNode(true);
  twin.querySelector("[name=role]").value = block.querySelector("[name=role]").value;
  twin.querySelector("textarea").value = block.querySelector("textarea").value;
  twin.querySelector(".prompt-msg-error")?.remove();
  block.after(twin);
  return twin;
};

const ACTIONS = {
  up: (block) => block.previousElementSibling.before(block),
  down: (block) => block.nextElementSibling.after(block),
  copy: duplicate,
  drop: (block) => block.remove(),
  add: () => {
    const last = blocks().at(-1);
    const twin = duplicate(last);
    twin.querySelector("[name=role]").value = last.querySelector("[name=role]").value === "user" ? "assistant" : "user";
    twin.querySelector("textarea").value = "";
    paint(twin.querySelector("textarea"));
    return twin;
  },
};

form.addEventListener("click", (event) => {
  const button = event.target.closest("button[name=action]");
  const action = button?.value.split(":")[0];
  if (!ACTIONS[action]) return;
  event.preventDefault();
  const block = button.closest("[data-message]");
  const index = blocks().indexOf(block);
  const made = ACTIONS[action](block);
  renumber();
  if (action === "copy" || action === "add") made.querySelector("textarea").focus();
  else if (action === "drop") blocks()[Math.min(index, blocks().length - 1)].querySelector("textarea").focus();
  else (button.disabled ? block.querySelector("textarea") : button).focus();
});

list.addEventListener("change", (event) => {
  if (event.target.name === "role") renumber();
});

let dragged = null;

list.addEventListener("dragstart", (event) => {
  if (!event.target.closest?.("[data-grip]")) return;
  dragged = event.target.closest("[data-message]");
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setDragImage(dragged, 12, 12);
});

list.addEventListener("dragover", (event) => {
  const over = dragged && event.target.closest("[data-message]");
  if (!dragged) return;
  event.preventDefault();
  if (!over || over === dragged) return;
  const box = over.getBoundingClientRect();
  if (event.clientY < box.top + box.height / 2) over.before(dragged);
  else over.after(dragged);
});

list.addEventListener("drop", (event) => { if (dragged) event.preventDefault(); });

list.addEventListener("dragend", () => {
  if (!dragged) return;
  dragged = null;
  renumber();
});

// Answers of the server ------------------------------------------------------------------------------------

// A region that is being rebuilt takes no typing meanwhile, so that none is lost.
const region = (event) => document.getElementById(event.target.dataset?.region ?? "");

form.addEventListener("htmx:beforeRequest", (event) => { const card = region(event); if (card) card.inert = true; });
form.addEventListener("htmx:afterRequest", (event) => {
  const card = region(event);
  if (!card) return;
  card.inert = false;
  form.dispatchEvent(new Event("input", { bubbles: true }));
});

let typed = new Map();
let focused = "";

document.addEventListener("htmx:oobBeforeSwap", (event) => {
  const target = event.detail.target;
  if (!["variables", "preview"].includes(target.id)) return;
  const inside = target.contains(document.activeElement) ? document.activeElement : null;
  if (inside?.matches("textarea, input, select")) {
    event.detail.shouldSwap = target.id === "preview" && inside.matches("select");
  }
  focused = inside?.id ?? "";
  typed = new Map();
  if (target.id === "variables") {
    for (const field of target.querySelectorAll("textarea[id], select[id]")) typed.set(field.id, field.value);
  }
  target.dataset.open = String(target.open);
});

document.addEventListener("htmx:oobAfterSwap", (event) => {
  const target = document.getElementById(event.detail.target.id);
  if (event.detail.target.dataset?.open === "false") target.open = false;
  for (const [id, value] of typed) {
    const field = document.getElementById(id);
    // A type that nobody chose may be proposed anew; everything else stays as it was typed.
    if (field && (field.matches("textarea") || field.closest("li").querySelector("[name=state]").value === "declared")) field.value = value;
  }
  typed = new Map();
  if (focused) document.getElementById(focused)?.focus();
  focused = "";
  if (target?.id === "hints") paintAll();
});

// Keys and jumps -------------------------------------------------------------------------------------------

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("[data-jump]");
  const textarea = link && document.getElementById(link.dataset.jump);
  if (!textarea) return;
  event.preventDefault();
  const before = textarea.value.split("\n").slice(0, Number(link.dataset.line) - 1).join("\n");
  const start = (before ? before.length + 1 : 0) + Number(link.dataset.column) - 1;
  textarea.focus();
  textarea.setSelectionRange(start, start);
  textarea.closest("[data-message]").scrollIntoView({ block: "nearest" });
});

const SHORTCUTS = { s: "save-version", Enter: "run-prompt" };

document.addEventListener("keydown", (event) => {
  const button = (event.ctrlKey || event.metaKey) && document.getElementById(SHORTCUTS[event.key]);
  if (!button) return;
  event.preventDefault();
  button.click();
});

paintAll();

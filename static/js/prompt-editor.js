// The editor works without this file. It paints variables, jumps to warnings, and guards unsaved text.

const form = document.querySelector("[data-editor]");
const TOKENS = /(\{\{[\s\S]*?\}\})|(\{%[\s\S]*?%\}|\{#[\s\S]*?#\})/g;

const piece = (text, kind) => {
  if (!kind) return document.createTextNode(text);
  const node = document.createElement(kind === "tok-var" ? "mark" : "span");
  node.className = kind;
  node.textContent = text;
  return node;
};

// Tags may span lines; a line holds the parts of the tags that cross it.
const lines = (text) => {
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
    add(match[0], match[1] ? "tok-var" : "tok-tag");
    end = match.index + match[0].length;
  }
  add(text.slice(end), "");
  return result;
};

const paint = (textarea) => {
  const layer = textarea.previousElementSibling;
  const rows = lines(textarea.value).map((parts) => {
    const row = document.createElement("i");
    row.append(...parts);
    return row;
  });
  layer.replaceChildren(...rows);
};

const paintAll = (root) => root.querySelectorAll(".code-edit__input").forEach(paint);

let changed = false;

form.addEventListener("input", (event) => {
  changed = true;
  if (event.target.matches(".code-edit__input")) paint(event.target);
});

form.addEventListener("submit", () => { changed = false; });

addEventListener("beforeunload", (event) => {
  if (changed) event.preventDefault();
});

document.addEventListener("htmx:oobAfterSwap", () => paintAll(form));

// Adding, moving and removing blocks changes the draft as well.
form.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target.name === "action") changed = true;
});

// Text typed into a variable's field while an answer was on its way must not be overwritten.
document.addEventListener("htmx:oobBeforeSwap", (event) => {
  const target = event.detail.target;
  if (target.id === "variables" && target.contains(document.activeElement)) event.detail.shouldSwap = false;
});

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("[data-jump]");
  const textarea = link && document.getElementById(link.dataset.jump);
  if (!textarea) return;
  event.preventDefault();
  const before = textarea.value.split("\n").slice(0, Number(link.dataset.line) - 1).join("\n");
  const start = (before ? before.length + 1 : 0) + Number(link.dataset.column) - 1;
  textarea.focus();
  textarea.setSelectionRange(start, start);
});

document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "s") return;
  event.preventDefault();
  document.getElementById("save-version").click();
});

paintAll(form);

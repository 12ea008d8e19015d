// The playground: its columns, earlier tries, and what is kept. What stands on the page is kept in this browser
// tab, so a reload loses nothing. Without scripts the form runs one column on the server.

const form = document.getElementById("playground");
const page = form.playground;
const { facts, columns, shared, running, results, all, element, money, post } = page;
const { messagesOf, number, addMessage, fill, values, parametersOf, servedOf, ownBox, ownOf, columnsNow } = page;
const { show, showChips, refresh, runAll, stop } = page;
const KEY = `playground:${facts.project}`;
const MOST_TRIES = 30;
let tries = [];

// --- earlier tries

const totalCost = (done) => {
  const costs = done.map((result) => result.cost).filter(Boolean);
  if (costs.some((cost) => cost.status === "unknown")) return "unknown";
  if (!costs.length) return "–";
  if (costs.every((cost) => cost.status === "none")) return "none";
  const sum = costs.reduce((total, cost) => total + Number(cost.amount ?? 0), 0);
  return money(sum) + (costs.every((cost) => cost.status === "sandbox") ? " sandbox" : "");
};

const addTry = (inputs, done) => {
  const states = Map.groupBy ? [...Map.groupBy(done, (result) => result.status)] : [["done", done]];
  tries.unshift({
    at: new Date().toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" }),
    content: document.getElementById("play-changed").textContent,
    models: done.map((result) => result.model).join(", "),
    result: states.map(([status, each]) => `${each.length} ${status === "succeeded" ? "finished" : status}`).join(", "),
    cost: totalCost(done),
    run: done.length === 1 ? done[0].id : "",
    inputs,
  });
  tries.length = Math.min(tries.length, MOST_TRIES);
  showTries();
  save();
};

const showTries = () => {
  const rows = tries.map((each) => {
    const again = element("button", { class: "btn btn--sm", type: "button", "aria-label": `Use again the inputs of ${each.at}` }, "Use again");
    again.addEventListener("click", () => { restoreInputs(each.inputs); save(); });
    const link = each.run ? [element("a", { class: "link", href: facts.addresses.page.replace("RUN", each.run) }, each.at)] : [each.at];
    return element("tr", {}, element("th", { scope: "row" }, ...link),
      element("td", { "data-label": "Content" }, each.content), element("td", { class: "table__wide", "data-label": "Models" }, each.models),
      element("td", { class: "table__wide", "data-label": "Result" }, each.result), element("td", { class: "num", "data-label": "Cost" }, each.cost), element("td", {}, again));
  });
  document.querySelector("#tries tbody").replaceChildren(...rows);
  document.getElementById("tries").hidden = !rows.length;
};

// --- columns

const pristine = columns.querySelector("[data-column]").cloneNode(true);

const addColumn = ({ model, parameters, served, own } = {}) => {
  const column = pristine.cloneNode(true);
  columns.append(column);
  show(column, { text: "", calls: [] });
  if (model) column.querySelector('[name="model"]').value = model;
  if (parameters) for (const field of all("[data-parameter]", column)) field.value = parameters[field.dataset.parameter] ?? "";
  if (served) for (const field of all("[data-served]", column)) field.value = served[field.dataset.served] ?? "";
  refresh();
  if (own) fill(ownBox(column), own);
  column.querySelector("[data-own]").open = Boolean(own);
  return column;
};

const columnState = (column) => ({ model: column.querySelector('[name="model"]').value, parameters: parametersOf(column), served: servedOf(column), own: ownOf(column) });

// --- keeping

const snapshot = () => ({
  messages: messagesOf(shared), values: values(), schema: form.elements.output_schema.value,
  tools: form.elements.tools.value, choice: form.elements.tool_choice.value, columns: columnsNow().map(columnState),
});

const saveNow = () => {
  const kept = columnsNow().map((column) => ({ ...results.get(column), status: running.has(column) ? "stopped" : results.get(column)?.status }));
  const state = { search: location.search, ...snapshot(), results: kept, tries };
  for (const attempt of [state, { ...state, tries: [] }, { ...state, tries: [], results: [] }]) {
    try {
      sessionStorage.setItem(KEY, JSON.stringify(attempt));
      return;
    } catch { /* over the browser's limit: keep less */ }
  }
};

let saving;
const save = () => {
  clearTimeout(saving);
  saving = setTimeout(saveNow, 200);
};

Object.assign(page, { snapshot, save, addTry });

const restoreColumns = (states, kept = []) => {
  for (const column of columnsNow()) stop(column);
  columns.replaceChildren();
  states.slice(0, facts.mostColumns).forEach((each, index) => {
    const column = addColumn(each);
    if (kept[index]?.status) show(column, kept[index]);
  });
};

const restoreInputs = (state, kept) => {
  fill(shared, state.messages);
  form.elements.output_schema.value = state.schema;
  form.elements.tools.value = state.tools;
  form.elements.tool_choice.value = state.choice;
  restoreColumns(state.columns, kept);
  refreshVariables(state.values);
  tellChanged();
};

const original = JSON.stringify([messagesOf(shared), form.elements.output_schema.value, form.elements.tools.value]);
const asLoaded = document.getElementById("play-changed").textContent;

const tellChanged = () => {
  const now = JSON.stringify([messagesOf(shared), form.elements.output_schema.value, form.elements.tools.value]);
  const words = asLoaded.replace(", as saved", "");
  document.getElementById("play-changed").textContent = now === original || words === "not saved" ? asLoaded : `${words}, changed`;
};

// --- variables follow the messages

let asked = 0;
const refreshVariables = async (known = values()) => {
  const mine = ++asked;
  const own = columnsNow().flatMap((column) => ownOf(column) ?? []);
  const body = { messages: [...messagesOf(shared), ...own], variables: facts.declared, values: known };
  const answer = await post(facts.addresses.variables, body).catch(() => null);
  if (!answer?.ok || mine !== asked) return;
  const panel = document.getElementById("playground-variables");
  if (panel.contains(document.activeElement)) return;
  const latest = { ...known, ...values() };
  panel.outerHTML = await answer.text();
  for (const field of all("[data-value]")) if (latest[field.dataset.value]) field.value = latest[field.dataset.value];
};

let typing;
const followTyping = () => {
  clearTimeout(typing);
  typing = setTimeout(refreshVariables, 300);
};

// --- what is pressed and typed

const ACTIONS = {
  "[data-add-message]": () => {
    const roles = messagesOf(shared).map((each) => each.role);
    addMessage(shared, roles.at(-1) === "user" ? "assistant" : "user", "").querySelector("textarea").focus();
  },
  "[data-drop-message]": (button) => {
    const box = button.closest("[data-messages]");
    if (box !== shared || box.childElementCount > 1) button.closest("[data-message]").remove();
    number(box);
    followTyping();
  },
  "[data-own-add]": (button) => addMessage(ownBox(button.closest("[data-column]")), "user", "").querySelector("textarea").focus(),
  "[data-own-off]": (button) => {
    const own = button.closest("[data-own]");
    fill(own.querySelector("[data-messages]"), []);
    own.open = false;
    followTyping();
  },
  "[data-run-one]": (button) => runAll([button.closest("[data-column]")]),
  "[data-stop]": (button) => stop(button.closest("[data-column]")),
  "[data-duplicate]": (button) => addColumn(columnState(button.closest("[data-column]"))),
  "[data-remove]": (button) => {
    const column = button.closest("[data-column]");
    stop(column);
    column.remove();
  },
  "#add-column": () => addColumn().querySelector('[name="model"]').focus(),
  "#stop-all": () => [...running.keys()].forEach(stop),
  "#clear-tries": () => {
    tries = [];
    showTries();
  },
};

document.addEventListener("click", (event) => {
  for (const [selector, act] of Object.entries(ACTIONS)) {
    const button = event.target.closest?.(selector);
    if (!button) continue;
    event.preventDefault();
    act(button);
    refresh();
    tellChanged();
    save();
    return;
  }
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  runAll(columnsNow());
});

document.addEventListener("input", (event) => {
  if (!form.contains(event.target) && !event.target.matches("[data-value]")) return;
  if (event.target.name === "content") followTyping();
  if (event.target.matches("[data-value]")) event.target.removeAttribute("aria-invalid");
  if (event.target.matches("[data-parameter], [data-served]")) showChips(event.target.closest("[data-column]"));
  tellChanged();
  save();
});

// Messages of its own begin as a copy of the shared ones.
columns.addEventListener("toggle", (event) => {
  const own = event.target.closest("[data-own]");
  if (own?.open && !ownOf(own.closest("[data-column]"))) fill(own.querySelector("[data-messages]"), messagesOf(shared));
}, true);

addEventListener("pagehide", saveNow);

// --- begin: as it was left, or as the address says

const saved = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
const [visit] = performance.getEntriesByType("navigation");
const returning = visit?.type !== "navigate" || sessionStorage.getItem(`${KEY}:return`);
sessionStorage.removeItem(`${KEY}:return`);

if (saved?.search && !location.search) {
  sessionStorage.setItem(`${KEY}:return`, "yes");
  location.replace(saved.search);
} else {
  tries = saved?.tries ?? [];
  showTries();
  if (saved && saved.search === location.search && (returning || !location.search)) restoreInputs(saved, saved.results);
  else for (const each of saved?.columns?.slice(1) ?? []) addColumn({ model: each.model });
  refresh();
}

// The playground's columns: each streams a run from the gateway. What stands on the page is kept in this
// browser tab, so a reload loses nothing. Without this file the form runs one column on the server.

const form = document.getElementById("playground");
const facts = JSON.parse(document.getElementById("playground-facts").textContent);
const columns = document.getElementById("columns");
const shared = document.getElementById("messages-list");
const said = document.getElementById("playground-said");
const sprite = document.querySelector("svg use").getAttribute("href").split("#")[0];
const KEY = `playground:${facts.project}`;
const MOST_TRIES = 30;
const TOKEN_MS = 45_000;
const csrf = () => document.querySelector('meta[name="csrf-token"]').content;
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const running = new Map();
const results = new WeakMap();
let tries = [];

const element = (name, attributes = {}, ...children) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};

const icon = (name) => {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "icon icon--sm");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `${sprite}#i-${name}`);
  svg.append(use);
  return svg;
};

// --- words: the same as apps/core/formatting.py

const duration = (ms) => {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1000) return `${Math.round(ms)}\u00a0ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)}\u00a0s`;
  return `${Math.round(ms / 60_000)}\u00a0min`;
};

const money = (amount) => {
  const size = Number(amount);
  if (size === 0 || size >= 0.01) return `$${size.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  return `$${size.toFixed(3 - Math.floor(Math.log10(size)))}`;
};

const costWords = (cost) => {
  if (!cost) return "–";
  if (cost.status === "none") return "none";
  if (cost.status === "unknown" || cost.amount === null) return "unknown";
  if (cost.status === "free") return "free";
  return cost.status === "sandbox" ? `${money(cost.amount)} sandbox` : money(cost.amount);
};

const tokenWords = (usage) => {
  if (!usage || usage.origin === "none") return "–";
  const one = (count) => (count === null ? "unknown" : count.toLocaleString("en"));
  return `${usage.origin === "estimated" ? "≈ " : ""}${one(usage.input_tokens)} / ${one(usage.output_tokens)}`;
};

// --- what stands on the page

const messagesOf = (box) => all("[data-message]", box).map((block) => ({
  role: block.querySelector("select").value,
  content: block.querySelector("textarea").value,
}));

const number = (box) => {
  all("[data-message]", box).forEach((block, index) => {
    const column = box.closest("[data-column]");
    const where = column ? ` of ${column.getAttribute("aria-label").toLowerCase()}` : "";
    block.querySelector("select").setAttribute("aria-label", `Role of message ${index + 1}${where}`);
    block.querySelector("textarea").setAttribute("aria-label", `Message ${index + 1}${where}`);
    block.querySelector("[data-drop-message]").setAttribute("aria-label", `Remove message ${index + 1}${where}`);
  });
};

const addMessage = (box, role, content) => {
  const block = document.getElementById("message-template").content.firstElementChild.cloneNode(true);
  block.querySelector("select").value = role;
  block.querySelector("textarea").value = content;
  box.append(block);
  number(box);
  return block;
};

const fill = (box, messages) => {
  box.replaceChildren();
  for (const each of messages) addMessage(box, each.role, each.content);
};

const values = () => Object.fromEntries(all("[data-value]").map((field) => [field.dataset.value, field.value]));

const parametersOf = (column) => {
  const typed = Object.fromEntries(all("[data-parameter]", column).map((field) => [field.dataset.parameter, field.value.trim()]));
  return Object.fromEntries(Object.entries(typed).filter(([, text]) => text));
};

const ownBox = (column) => column.querySelector("[data-own] [data-messages]");
const ownOf = (column) => (ownBox(column).childElementCount ? messagesOf(ownBox(column)) : null);
const columnsNow = () => all("[data-column]", columns);

const typedParameter = (name, text) => {
  if (name === "stop") return text.split("\n").filter(Boolean);
  if (name === "reasoning_effort") return text;
  return Number.isNaN(Number(text)) ? text : Number(text);
};

const toolChoice = () => {
  const text = form.elements.tool_choice.value.trim();
  if (!text) return {};
  const isWord = ["auto", "none", "required"].includes(text);
  return { tool_choice: isWord ? text : { type: "function", function: { name: text } } };
};

const parsed = (field, words) => {
  const text = form.elements[field].value.trim();
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch (error) {
    form.elements[field].closest("details").open = true;
    throw { code: "invalid_json", type: "invalid_request_error", message: `${words} can't be read: ${error.message}` };
  }
};

// As the gateway takes it. Throws an error to show.
const contentOf = (column) => ({
  messages: ownOf(column) ?? messagesOf(shared),
  variables: facts.declared.map(({ name, type, required, default: fallback }) => (
    { name, type, required, ...(fallback ? { default: fallback } : {}) })),
  values: Object.fromEntries(Object.entries(values()).filter(([, text]) => text)),
  model: column.querySelector('[name="model"]').value,
  parameters: {
    ...Object.fromEntries(Object.entries(parametersOf(column)).map(([name, text]) => [name, typedParameter(name, text)])),
    ...toolChoice(),
  },
  output_schema: parsed("output_schema", "The output schema"),
  tools: parsed("tools", "The tools") ?? [],
  ...(facts.prompt ? { prompt: facts.prompt, version: facts.version } : {}),
});

// As the editor keeps it: every field as the text that was typed.
const typedOf = (column) => ({
  messages: ownOf(column) ?? messagesOf(shared),
  variables: facts.declared,
  values: values(),
  model: column.querySelector('[name="model"]').value,
  parameters: {
    ...parametersOf(column),
    ...(form.elements.tool_choice.value.trim() ? { tool_choice: form.elements.tool_choice.value.trim() } : {}),
  },
  output_schema: form.elements.output_schema.value,
  tools: form.elements.tools.value,
  prompt: facts.prompt,
  version: facts.version,
});

const post = (address, body) => fetch(address, {
  method: "POST",
  headers: { "Content-Type": "application/json", "X-CSRFToken": csrf() },
  body: JSON.stringify(body),
});

// --- a column's looks

const BADGES = {
  running: ["info", "loader", "Streaming"],
  succeeded: ["ok", "check-circle", "Finished"],
  failed: ["bad", "x-circle", "Failed"],
  stopped: ["warn", "stop", "Stopped"],
};

const showBadge = (column, state, more = "") => {
  const badge = column.querySelector("[data-badge]");
  const [kind, symbol, word] = BADGES[state] ?? ["", "", ""];
  badge.hidden = !word;
  badge.className = `badge badge--${kind}`;
  badge.replaceChildren(...(word ? [icon(symbol), more ? `${word}, ${more}` : word] : []));
};

const prettyJSON = (text) => {
  try {
    const value = JSON.parse(text);
    return value && typeof value === "object" ? JSON.stringify(value, null, 2) : null;
  } catch {
    return null;
  }
};

const callNode = (call) => {
  const { name, arguments: written } = call.function;
  return element("pre", { class: "play__call" }, `${name}(${prettyJSON(written) ?? written})`);
};

const errorNode = (column, error) => {
  const words = element("p", {}, element("b", {}, error.code), ` (${error.type}): ${error.message}`);
  const again = element("button", { class: "btn btn--sm", type: "button" }, "Try again");
  again.addEventListener("click", () => runAll([column]));
  return element("div", { class: "banner banner--bad play__error", role: "alert" }, icon("alert"), element("span", {}, words, again));
};

const showOutput = (column, result) => {
  const pretty = result.status === "succeeded" && prettyJSON(result.text);
  const text = pretty ? element("pre", { class: "play__json" }, pretty) : result.text;
  const parts = [...(result.text ? [text] : []), ...(result.calls ?? []).map(callNode)];
  if (result.error) parts.push(errorNode(column, result.error));
  if (!parts.length) parts.push(element("span", { class: "muted" }, result.status ? "Nothing came." : "Nothing run yet."));
  column.querySelector("[data-out]").replaceChildren(...parts);
};

const showStats = (column, result) => {
  const set = (name, words) => { column.querySelector(`[data-${name}]`).textContent = words; };
  set("first", duration(result.first));
  set("total", duration(result.total));
  set("total-name", result.status === "running" ? "So far" : "Total");
  set("tokens", result.status === "running" ? "pending" : tokenWords(result.usage));
  set("cost", result.status === "running" ? "pending" : costWords(result.cost));
};

const showLink = (column, id) => {
  const link = column.querySelector("[data-run-link]");
  link.hidden = !id;
  if (id) link.href = facts.addresses.page.replace("RUN", id);
};

const show = (column, result) => {
  results.set(column, result);
  showBadge(column, result.status, result.finish);
  showOutput(column, result);
  showStats(column, result);
  showLink(column, result.id);
};

const showChips = (column) => {
  const chips = Object.entries(parametersOf(column)).map(([name, text]) => (
    element("span", { class: "chip" }, `${name.replace("_tokens", "").replace("reasoning_", "").replaceAll("_", " ")} `, element("b", {}, text))));
  column.querySelector("[data-chips]").replaceChildren(...chips);
};

const refresh = () => {
  const now = columnsNow();
  now.forEach((column, index) => {
    const name = `Column ${index + 1}`;
    column.setAttribute("aria-label", name);
    column.querySelector('[name="model"]').setAttribute("aria-label", `Model of column ${index + 1}`);
    column.querySelector("[data-out]").setAttribute("aria-label", `Answer of column ${index + 1}`);
    column.querySelector("[data-run-one]").hidden = running.has(column);
    column.querySelector("[data-stop]").hidden = !running.has(column);
    column.querySelector("[data-remove]").disabled = now.length === 1;
    column.querySelector("[data-duplicate]").disabled = now.length >= facts.mostColumns;
    showChips(column);
  });
  document.getElementById("add-column").disabled = now.length >= facts.mostColumns;
  document.getElementById("stop-all").disabled = !running.size;
  document.querySelector("[data-run] span").textContent = now.length > 1 ? "Run all" : "Run";
};

// --- running

let token = null;

const freshToken = () => {
  if (!token || token.until < Date.now()) {
    const value = post(facts.addresses.token, {}).then(async (answer) => {
      const body = await answer.json();
      if (!answer.ok) throw body.error;
      return body.token;
    });
    token = { value, until: Date.now() + TOKEN_MS };
    value.catch(() => { token = null; });
  }
  return token.value;
};

const ask = async (body, signal) => fetch(facts.addresses.run, {
  method: "POST",
  headers: { "Content-Type": "application/json", Authorization: `Bearer ${await freshToken()}` },
  body: JSON.stringify(body),
  signal,
});

async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (waiting + value).split("\n\n");
    waiting = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n");
      const field = (name) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      yield [field("event"), JSON.parse(field("data"))];
    }
  }
}

const takeCall = (calls, delta) => {
  const call = (calls[delta.index] ??= { id: "", type: "function", function: { name: "", arguments: "" } });
  call.id ||= delta.id ?? "";
  call.function.name ||= delta.function?.name ?? "";
  call.function.arguments += delta.function?.arguments ?? "";
};

const finish = (result, run) => {
  Object.assign(result, { id: run.id, text: run.output, calls: run.tool_calls, usage: run.usage, cost: run.cost });
  Object.assign(result, { total: run.latency_ms, first: run.first_token_ms, model: run.model, finish: run.finish_reason ?? "" });
};

const take = (column, state, name, data) => {
  const { result } = state;
  if (name === "run.created") {
    result.id = data.id;
    showLink(column, data.id);
  } else if (name === "output.delta" || name === "tool_calls.delta") {
    result.first ??= performance.now() - state.started;
    if (data.text) {
      result.text += data.text;
      state.text.appendData(data.text);
    }
    for (const delta of data.tool_calls ?? []) takeCall(result.calls, delta);
  } else if (name === "run.completed") {
    finish(result, data);
    result.status = "succeeded";
  } else if (name === "run.failed") {
    if (data.run) finish(result, data.run);
    Object.assign(result, { status: "failed", error: data.error, finish: "" });
  }
};

// A stopped stream tells nothing more; the run itself knows what was used.
const learnUsage = async (column, result) => {
  for (let tried = 0; result.id && tried < 20; tried += 1) {
    const answer = await fetch(facts.addresses.facts.replace("RUN", result.id)).catch(() => null);
    if (answer?.ok) {
      const run = await answer.json();
      Object.assign(result, { usage: run.usage, cost: run.cost });
      if (results.get(column) === result) showStats(column, result);
      return;
    }
    await new Promise((resolve) => { setTimeout(resolve, 150); });
  }
};

const receive = async (column, state, body) => {
  let answer = await ask(body, state.controller.signal);
  if (answer.status === 401) {
    token = null;
    answer = await ask(body, state.controller.signal);
  }
  if (!answer.ok) throw (await answer.json()).error;
  for await (const [name, data] of events(answer.body)) take(column, state, name, data);
  if (state.result.status === "running") throw { code: "broken_off", type: "api_error", message: "The connection ended before the answer did. What came is kept." };
};

const begin = (column) => {
  const result = { status: "running", text: "", calls: [], id: "", first: null, total: 0, finish: "", model: column.querySelector('[name="model"]').value };
  const state = { result, controller: new AbortController(), started: performance.now(), text: document.createTextNode("") };
  running.set(column, state);
  show(column, result);
  column.querySelector("[data-out]").replaceChildren(state.text, element("span", { class: "caret" }));
  state.clock = setInterval(() => {
    result.total = performance.now() - state.started;
    showStats(column, result);
  }, 100);
  refresh();
  return state;
};

const end = (column, state) => {
  clearInterval(state.clock);
  running.delete(column);
  show(column, state.result);
  const { status, usage, model } = state.result;
  const made = usage?.output_tokens;
  const tokens = made === null || made === undefined ? "" : `, ${made} tokens`;
  said.textContent = `${column.getAttribute("aria-label")}, ${model}: ${status === "succeeded" ? "finished" : status}${tokens}`;
  refresh();
};

const run = async (column) => {
  if (running.has(column)) return results.get(column);
  const state = begin(column);
  const { result } = state;
  try {
    await receive(column, state, contentOf(column));
  } catch (error) {
    result.total = performance.now() - state.started;
    const told = error?.code && error.message && typeof error.code === "string";
    const away = { code: "unreachable", type: "api_error", message: "The server could not be reached. Your text is kept; try again." };
    if (state.stopped) result.status = "stopped";
    else Object.assign(result, { status: "failed", error: told ? error : away });
    markField(result.error);
  }
  end(column, state);
  if (state.stopped) await learnUsage(column, result);
  save();
  return result;
};

const markField = (error) => {
  for (const field of all("[data-value]")) field.removeAttribute("aria-invalid");
  const name = error?.param?.startsWith("variables.") ? error.param.slice("variables.".length) : "";
  document.getElementById(`value-${name}`)?.setAttribute("aria-invalid", "true");
};

const stop = (column) => {
  const state = running.get(column);
  if (!state) return;
  state.stopped = true;
  state.controller.abort();
};

const runAll = async (chosen) => {
  markField(null);
  const inputs = snapshot();
  const done = await Promise.all(chosen.map(run));
  addTry(inputs, done);
};

// --- earlier tries

const totalCost = (done) => {
  const costs = done.map((result) => result.cost).filter(Boolean);
  if (costs.some((cost) => cost.status === "unknown")) return "unknown";
  if (!costs.length) return "–";
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

const addColumn = ({ model, parameters, own } = {}) => {
  const column = pristine.cloneNode(true);
  columns.append(column);
  show(column, { text: "", calls: [] });
  if (model) column.querySelector('[name="model"]').value = model;
  if (parameters) for (const field of all("[data-parameter]", column)) field.value = parameters[field.dataset.parameter] ?? "";
  refresh();
  if (own) fill(ownBox(column), own);
  column.querySelector("[data-own]").open = Boolean(own);
  return column;
};

const columnState = (column) => ({ model: column.querySelector('[name="model"]').value, parameters: parametersOf(column), own: ownOf(column) });

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
  if (event.target.matches("[data-parameter]")) showChips(event.target.closest("[data-column]"));
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

form.playground = { facts, post, typedOf, contentOf, values, resultOf: (column) => results.get(column), said };

// How a column looks: its badge, answer, figures, and what is offered on it.

const page = document.getElementById("playground").playground;
const { facts, running, results, all, element, icon, duration, costWords, tokenWords, prettyJSON, parametersOf, servedOf, columnsNow } = page;

const BADGES = {
  running: ["info", "loader", "Streaming"],
  succeeded: ["ok", "check-circle", "Finished"],
  failed: ["bad", "x-circle", "Failed"],
  stopped: ["warn", "stop", "Stopped"],
  blocked: ["bad", "lock", "Blocked"],
};

const showBadge = (column, state, more = "") => {
  const badge = column.querySelector("[data-badge]");
  const [kind, symbol, word] = BADGES[state] ?? ["", "", ""];
  badge.hidden = !word;
  badge.className = `badge badge--${kind}`;
  badge.replaceChildren(...(word ? [icon(symbol), more ? `${word}, ${more}` : word] : []));
};

const callNode = (call) => {
  const { name, arguments: written } = call.function;
  return element("pre", { class: "play__call" }, `${name}(${prettyJSON(written) ?? written})`);
};

const errorNode = (column, error) => {
  const words = element("p", {}, element("b", {}, error.code), ` (${error.type}): ${error.message}`);
  const again = element("button", { class: "btn btn--sm", type: "button" }, "Try again");
  again.addEventListener("click", () => page.runAll([column]));
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

// What else is known of a run: guardrails, fallbacks, caches; in the server's own words.
const showNotes = (column, result) => {
  const list = column.querySelector("[data-notes]");
  list.replaceChildren(...(result.notes ?? []).map(({ kind, text }) => element("li", { class: `badge badge--${kind}` }, text)));
  list.hidden = !list.childElementCount;
};

const showLink = (column, id) => {
  const link = column.querySelector("[data-run-link]");
  link.hidden = !id;
  if (id) link.href = facts.addresses.page.replace("RUN", id);
};

const show = (column, result) => {
  results.set(column, result);
  showBadge(column, result.error?.code === "guardrail_blocked" ? "blocked" : result.status, result.finish);
  showOutput(column, result);
  showStats(column, result);
  showNotes(column, result);
  showLink(column, result.id);
};

const showChips = (column) => {
  const chips = Object.entries({ ...parametersOf(column), ...servedOf(column) }).map(([name, text]) => (
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

Object.assign(page, { show, showStats, showNotes, showLink, showChips, refresh });

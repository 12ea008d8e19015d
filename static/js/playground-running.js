// Running a column: it streams from the gateway with a token of a minute, and can be stopped.

const page = document.getElementById("playground").playground;
const { facts, running, results, said, all, element, post, contentOf, show, showStats, showNotes, showLink, refresh } = page;
const TOKEN_MS = 45_000;

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

// The run itself knows more than its stream told: what a stopped one used, what guardrails found, who answered.
const learn = async (column, result) => {
  for (let tried = 0; result.id && tried < 20; tried += 1) {
    const answer = await fetch(facts.addresses.facts.replace("RUN", result.id)).catch(() => null);
    if (answer?.ok) {
      const { usage, cost, notes } = await answer.json();
      Object.assign(result, { usage, cost, notes });
      if (results.get(column) !== result) return;
      showStats(column, result);
      showNotes(column, result);
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
    else Object.assign(result, { status: "failed", error: told ? error : away, id: error?.run_id ?? result.id });
    markField(result.error);
  }
  end(column, state);
  await learn(column, result);
  page.save();
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
  const inputs = page.snapshot();
  const done = await Promise.all(chosen.map(run));
  page.addTry(inputs, done);
};

Object.assign(page, { runAll, stop, resultOf: (column) => results.get(column) });

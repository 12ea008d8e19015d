// What stands on the playground's page: messages, values, parameters, and the bodies made of them.

const form = document.getElementById("playground");
const page = form.playground;
const { facts, columns, shared, all } = page;
const csrf = () => document.querySelector('meta[name="csrf-token"]').content;

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

// What a try asks of caches and of repair; nothing where the field is left as it is.
const servedOf = (column) => Object.fromEntries(
  all("[data-served]", column).filter((field) => field.value).map((field) => [field.dataset.served, field.value]));

const servedBody = ({ cache, repair }) => ({
  ...(cache ? { cache: cache === "policy" ? true : { seconds: Number(cache) } } : {}),
  ...(repair ? { repair: { attempts: Number(repair) } } : {}),
});

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
  ...servedBody(servedOf(column)),
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

Object.assign(page, {
  messagesOf, number, addMessage, fill, values, parametersOf, servedOf, ownBox, ownOf, columnsNow, contentOf, typedOf, post,
});

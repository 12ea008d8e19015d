// The playground's dialogs: code to copy, saving as a version, adding to a dataset.

const form = document.getElementById("playground");
const page = () => form.playground;
let column = null;

const tell = (id, words) => {
  const box = document.getElementById(id);
  box.hidden = !words;
  box.querySelector("span").textContent = words;
};

const send = async (address, body) => {
  const answer = await page().post(address, body).catch(() => null);
  if (!answer) return { problem: { code: "unreachable", message: "The server could not be reached. Try again." } };
  const told = await answer.json();
  return answer.ok ? { told } : { problem: told.error };
};

let snippets = {};
const showCode = () => {
  document.getElementById("code-text").textContent = snippets[document.getElementById("code-language").value] ?? "";
};

const openCode = async () => {
  tell("playground-problem", "");
  const typed = page().typedOf(column);
  const { told, problem } = await send(page().facts.addresses.code, typed);
  if (problem) return tell("playground-problem", problem.message);
  snippets = told;
  showCode();
  return document.getElementById("code-dialog").showModal();
};

const openSave = () => {
  tell("save-problem", "");
  const go = document.getElementById("save-go");
  delete go.dataset.replace;
  go.textContent = page().facts.prompt ? "Open as draft" : "Create prompt";
  document.getElementById("save-dialog").showModal();
};

const saveColumn = async () => {
  const go = document.getElementById("save-go");
  const name = document.getElementById("save-name")?.value ?? "";
  const { told, problem } = await send(page().facts.addresses.save, { ...page().typedOf(column), name, replace: Boolean(go.dataset.replace) });
  if (told) {
    location.assign(told.href);
    return;
  }
  tell("save-problem", problem.message);
  if (problem.code === "draft_exists") {
    go.dataset.replace = "yes";
    go.textContent = "Replace my draft";
  }
};

const openRows = () => {
  tell("rows-problem", "");
  document.getElementById("rows-dialog").showModal();
};

const addRow = async () => {
  const result = page().resultOf(column) ?? {};
  const expected = document.getElementById("rows-expected").checked ? (result.text ?? "") : "";
  const dataset = document.getElementById("rows-dataset").value;
  const { told, problem } = await send(page().facts.addresses.rows, { dataset, values: page().values(), expected, run: result.id ?? "" });
  if (problem) return tell("rows-problem", problem.message);
  document.getElementById("rows-dialog").close();
  const link = Object.assign(document.createElement("a"), { href: told.href, className: "link", textContent: "Open dataset" });
  const banner = Object.assign(document.createElement("div"), { className: "banner banner--ok" });
  banner.append(`${told.message} `, link);
  return document.getElementById("messages").replaceChildren(banner);
};

document.getElementById("code-language").addEventListener("change", showCode);
document.getElementById("save-go").addEventListener("click", saveColumn);
document.getElementById("rows-go")?.addEventListener("click", addRow);
document.getElementById("save-name")?.addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  saveColumn();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-code], [data-save-column], [data-rows]");
  if (!button) return;
  column = button.closest("[data-column]");
  if (button.matches("[data-code]")) openCode();
  else if (button.matches("[data-rows]")) openRows();
  else openSave();
});

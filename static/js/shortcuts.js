// Keys. Those without Ctrl can be switched off in the profile (<html data-shortcuts="off">) and never fire
// while somebody types. Lists hear j, k and x as the event "shortcut" (table.js).

const TYPING = "input:not([type=checkbox], [type=radio], [type=button], [type=submit]), textarea, select, [contenteditable]";
let going = 0;

const press = (element) => {
  if (element) element.click();
  return Boolean(element);
};

const go = (key) => press(document.querySelector(`[data-go="${CSS.escape(key)}"]`));

const focusSearch = () => {
  const field = document.querySelector("main input[type=search]");
  field?.focus();
  field?.select();
  return Boolean(field);
};

const showHelp = () => {
  document.getElementById("shortcuts")?.showModal();
  return true;
};

const tellRows = (key) => {
  document.dispatchEvent(new CustomEvent("shortcut", { detail: key }));
  return true;
};

const plain = (key) => {
  if (going && Date.now() - going < 1500) {
    going = 0;
    return go(key);
  }
  if (key === "g") going = Date.now();
  if (key === "n") return press(document.querySelector("main [data-new], main .page__actions .btn--primary[href]"));
  if (key === "/") return focusSearch();
  if (key === "?") return showHelp();
  return "jkx".includes(key) && tellRows(key);
};

const withControl = (key) => {
  if (key === "Enter") return press(document.querySelector("[data-run]:not([disabled])"));
  return key === "s" && press(document.querySelector("[data-save]:not([disabled])"));
};

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.altKey || event.isComposing || event.key.length > 1 && event.key !== "Enter") return;
  const control = event.ctrlKey || event.metaKey;
  if (!control) {
    const off = document.documentElement.dataset.shortcuts === "off";
    if (off || event.target.matches?.(TYPING) || document.querySelector("dialog[open]")) return;
  }
  if (control ? withControl(event.key.length === 1 ? event.key.toLowerCase() : event.key) : event.key.length === 1 && plain(event.key)) event.preventDefault();
});

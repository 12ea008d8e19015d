// Toasts: said once in a status region, kept in the list behind the bell until the window is closed.
// document.dispatchEvent(new CustomEvent("toast", { detail: { text: "…", kind: "bad" } })). Banners of the
// page are listed too, so nothing is told by a toast alone.

const KEY = "notices";
const MOST = 20;
const list = document.querySelector("[data-notices]");
const region = document.getElementById("toasts");

const read = () => {
  try {
    return JSON.parse(sessionStorage.getItem(KEY)) ?? [];
  } catch {
    return [];
  }
};

const item = ({ text, at }) => {
  const row = document.createElement("li");
  const when = document.createElement("time");
  when.className = "meta";
  when.dateTime = at;
  when.textContent = new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  row.append(text, " ", when);
  return row;
};

const draw = () => {
  const kept = read();
  list.querySelector("ul").replaceChildren(...kept.map(item));
  list.querySelector("[data-notices-none]").hidden = kept.length > 0;
};

const keep = (text) => {
  const kept = [{ text, at: new Date().toISOString() }, ...read()].slice(0, MOST);
  sessionStorage.setItem(KEY, JSON.stringify(kept));
  list.querySelector(".notices__mark").hidden = list.open;
  if (list.open) draw();
};

const show = (text, kind) => {
  const toast = document.createElement("div");
  toast.className = `toast${kind ? ` toast--${kind}` : ""}`;
  const words = document.createElement("span");
  words.textContent = text;
  const close = document.createElement("button");
  close.className = "btn btn--quiet btn--sm";
  close.type = "button";
  close.textContent = "Close";
  close.addEventListener("click", () => toast.remove());
  toast.append(words, close);
  region.append(toast);
  // Errors stay until they are closed.
  if (kind !== "bad") setTimeout(() => toast.remove(), 8000);
};

if (list && region) {
  document.addEventListener("toast", ({ detail }) => {
    show(detail.text, detail.kind);
    keep(detail.text);
  });
  list.addEventListener("toggle", () => {
    if (!list.open) return;
    list.querySelector(".notices__mark").hidden = true;
    draw();
  });
  for (const banner of document.querySelectorAll("#messages .banner > span")) keep(banner.textContent.trim());
}

document.querySelector("[data-sign-out]")?.addEventListener("submit", () => {
  sessionStorage.removeItem(KEY);
  for (const key of Object.keys(localStorage)) if (key.startsWith("recent:")) localStorage.removeItem(key);
});

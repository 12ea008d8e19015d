// htmx: the CSRF header on every request, and panels that fail alone.

const token = () => document.querySelector('meta[name="csrf-token"]')?.content ?? "";

document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.verb !== "get") event.detail.headers["X-CSRFToken"] = token();
});

const element = (name, attributes, ...children) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};

const fail = (panel, words) => {
  panel.removeAttribute("aria-busy");
  const body = panel.querySelector(".skeleton") ?? panel.querySelector("[data-panel-error]");
  if (!body) return;
  const retry = element("button", { class: "btn btn--sm", type: "button" }, "Try again");
  retry.addEventListener("click", () => {
    panel.setAttribute("aria-busy", "true");
    window.htmx.ajax("GET", panel.getAttribute("hx-get"), { source: panel, target: panel, swap: "outerHTML" });
  });
  const text = element("span", {}, [words, panel.dataset.hint].filter(Boolean).join(" "));
  const banner = element("div", { class: "banner banner--bad", role: "alert" }, text, retry);
  const { shorter, shorterWords } = panel.dataset;
  if (shorter) banner.append(element("a", { class: "btn btn--sm", href: shorter }, shorterWords));
  body.replaceWith(element("div", { class: "card__body", "data-panel-error": "" }, banner));
};

// A slow panel says so; htmx gives up after half a minute (htmx:timeout).
document.addEventListener("htmx:beforeRequest", (event) => {
  const panel = event.detail.elt.closest("[data-panel]");
  const words = panel?.querySelector("[data-slow]");
  if (words) setTimeout(() => { words.hidden = false; }, 5000);
});

const toast = (text) => document.dispatchEvent(new CustomEvent("toast", { detail: { text, kind: "bad" } }));

document.addEventListener("htmx:responseError", (event) => {
  const panel = event.detail.elt.closest("[data-panel]");
  const request = event.detail.xhr.getResponseHeader("Request-Id");
  const id = request ? ` (${request})` : "";
  if (panel) fail(panel, `This part could not be loaded${id}. The rest of the page is complete.`);
  else toast(`That did not work${id}. What you see is as it was before; try again.`);
});

for (const name of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => {
    const panel = event.detail.elt.closest("[data-panel]");
    if (panel) fail(panel, "The server could not be reached. The rest of the page is complete.");
    else toast("The server could not be reached. What you see is as it was before; try again.");
  });
}

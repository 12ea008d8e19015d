// Small helps for forms. Every form works without them.

const showCounter = (control) => {
  const counter = document.querySelector(`[data-counter="${CSS.escape(control.id)}"]`);
  if (!counter) return;
  const limit = Number(counter.dataset.limit);
  const length = [...control.value].length;
  counter.hidden = length < limit * 0.8;
  counter.textContent = `${length} of ${limit}`;
  counter.toggleAttribute("data-over", length > limit);
};

document.addEventListener("input", (event) => {
  if (event.target.id) showCounter(event.target);
});

document.addEventListener("change", (event) => {
  if (event.target.matches?.("[data-submit]")) event.target.form.requestSubmit();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-reveal]");
  if (!button) return;
  const control = document.getElementById(button.dataset.reveal);
  const shown = control.type === "text";
  control.type = shown ? "password" : "text";
  button.setAttribute("aria-pressed", String(!shown));
  button.querySelector("span").textContent = shown ? "Show" : "Hide";
});

// A second press of the same button must not send the form twice.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  event.submitter?.setAttribute("aria-busy", "true");
});

// Back from the next page: the browser may show this page as it was left.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  for (const button of document.querySelectorAll("button[aria-busy]")) button.removeAttribute("aria-busy");
});

for (const control of document.querySelectorAll("input[id], textarea[id]")) showCounter(control);

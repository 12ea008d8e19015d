// Keeps what is typed as a draft on the server: after two seconds of rest, and when a field or the window is left.
// Only a save that failed holds back the closing of the page.

const form = document.querySelector("[data-editor]");
const status = document.getElementById("draft-status");
const revision = form.elements.namedItem("revision");
const REST = 2000;
const RETRY = 5000;
const KEEPALIVE_BYTES = 60000;

let dirty = false;
let failed = false;
let stale = false;
let leaving = false;
let sending = null;
let timer = 0;

const say = (text) => { status.textContent = text; };

const settled = async (response) => {
  const answer = await response.json().catch(() => ({}));
  if (response.ok) {
    revision.value = answer.revision;
    failed = false;
    document.getElementById("discard-draft").hidden = false;
    if (!dirty) say(answer.words);
  } else if (response.status === 409) {
    failed = stale = true;
    say("Draft not saved");
    document.getElementById("draft-conflict").hidden = false;
  } else {
    throw new Error(answer.error?.message ?? "The server did not take it.");
  }
};

const save = async () => {
  clearTimeout(timer);
  if (!dirty || stale || leaving) return;
  if (sending) { await sending; return save(); }
  dirty = false;
  const body = new URLSearchParams(new FormData(form)).toString();
  say("Saving draft…");
  sending = fetch(form.dataset.draft, {
    method: "PUT",
    headers: {
      "Content-Type": "application/x-www-form-urlencoded",
      "X-CSRFToken": form.elements.namedItem("csrfmiddlewaretoken").value,
    },
    body,
    keepalive: body.length < KEEPALIVE_BYTES,
  }).then(settled).catch((error) => {
    dirty = failed = true;
    say(`Draft not saved: ${error.message} Trying again.`);
    timer = setTimeout(save, RETRY);
  });
  await sending;
  sending = null;
  if (!leaving) return;
  clearTimeout(timer);
};

form.addEventListener("input", (event) => {
  if (["dataset", "row"].includes(event.target.name)) return;
  dirty = true;
  if (stale) return;
  clearTimeout(timer);
  timer = setTimeout(save, REST);
});

form.addEventListener("focusout", save);
addEventListener("blur", save);
document.addEventListener("visibilitychange", () => { if (document.hidden) save(); });
addEventListener("pagehide", save);

// Sending a form saves, or discards, by itself; a save on its way must not arrive after it.
const send = (event) => {
  leaving = true;
  clearTimeout(timer);
  if (!sending) return;
  event.preventDefault();
  const { target, submitter } = event;
  sending.finally(() => { sending = null; target.requestSubmit(submitter); });
};
form.addEventListener("submit", send);
document.querySelector("[data-discard]").addEventListener("submit", send);
addEventListener("pageshow", (event) => { if (event.persisted) leaving = false; });

addEventListener("beforeunload", (event) => {
  if (leaving) return;
  save();
  if (failed) event.preventDefault();
});

// On a slow line somebody types before this file has come: no event told of it.
const typedBefore = (field) => {
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.options) {
    const marked = [...field.options].filter((option) => option.defaultSelected);
    return marked.length > 0 && marked.at(-1) !== field.selectedOptions[0];
  }
  return field.type !== "hidden" && field.defaultValue !== undefined && field.value !== field.defaultValue;
};

const catchUp = () => {
  for (const field of form.elements) {
    if (typedBefore(field)) field.dispatchEvent(new Event("input", { bubbles: true }));
  }
};
if (document.readyState === "complete") catchUp();
else addEventListener("load", catchUp, { once: true });

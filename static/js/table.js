// Lists: what is chosen is counted in the bar of actions, and j, k and x walk through the rows.
// Without script the bar is always there, and the server says how many rows an action takes.

const bar = document.querySelector("[data-chosen]");
// Not bar.id: a form's own fields come before its properties, and ours are named "id".
const name = bar?.getAttribute("id");
const box = `input[name="id"][form="${name}"]`;
const boxes = () => [...document.querySelectorAll(box)];
const all = bar && document.querySelector(`[data-choose-page="${name}"]`);
const figure = (number) => number.toLocaleString("en");
let asked = false;

// The number of rows that match is asked for once somebody chooses, never for the list itself.
const askForCount = async () => {
  const link = bar.querySelector("[data-choose-all]");
  if (asked || !link || !bar.dataset.countAddress) return;
  asked = true;
  const answer = await fetch(bar.dataset.countAddress, { headers: { Accept: "text/plain" } }).catch(() => null);
  if (answer?.ok && answer.headers.get("Content-Type")?.startsWith("text/plain")) link.textContent = `Choose all ${await answer.text()}`;
};

const show = () => {
  const every = bar.querySelector('input[name="select"]');
  const found = boxes();
  const chosen = found.filter((each) => each.checked);
  const count = every ? Number(bar.dataset.every) : chosen.length;
  for (const each of found) each.closest("tr").setAttribute("aria-selected", String(each.checked));
  bar.toggleAttribute("data-active", count > 0);
  bar.querySelector("[data-chosen-words]").textContent = every ? `All ${figure(count)} chosen` : `${figure(count)} chosen`;
  for (const words of bar.querySelectorAll("[data-chosen-count]")) words.textContent = figure(count);
  if (all) {
    all.checked = found.length > 0 && chosen.length === found.length;
    all.indeterminate = chosen.length > 0 && !all.checked;
  }
  if (count) askForCount();
};

// One row less than all of them is a choice of single rows again.
const leaveEvery = () => bar.querySelector('input[name="select"]')?.remove();

if (bar) {
  document.addEventListener("change", (event) => {
    if (event.target === all) {
      for (const each of boxes()) each.checked = all.checked;
    } else if (!event.target.matches(box)) {
      return;
    }
    leaveEvery();
    show();
  });
  bar.querySelector("[data-choose-none]").addEventListener("click", (event) => {
    if (bar.querySelector('input[name="select"]')) return;
    event.preventDefault();
    for (const each of boxes()) each.checked = false;
    show();
  });
  addEventListener("pageshow", show);
  show();
}

const rows = () => [...document.querySelectorAll("table[data-rows] > tbody > tr")].filter((row) => row.querySelector("a, input"));
const here = () => rows().findIndex((row) => row.contains(document.activeElement));
const step = (by) => {
  const found = rows();
  const next = Math.max(0, Math.min(found.length - 1, here() + by));
  const row = found[next];
  (row?.querySelector("th a") ?? row?.querySelector("a, input"))?.focus();
};

document.addEventListener("shortcut", (event) => {
  const key = event.detail;
  if (key === "j") step(1);
  if (key === "k") step(here() < 0 ? 0 : -1);
  if (key === "x") rows()[here()]?.querySelector('input[name="id"]')?.click();
});

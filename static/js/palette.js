// Ctrl K or Cmd K opens the search box: what was opened last comes first, the arrow keys walk, Enter opens.

const palette = document.getElementById("palette");
const field = palette?.querySelector("input");
const hits = palette?.querySelector("#palette-hits");
const MOST = 6;
const key = palette && `recent:${palette.dataset.user}:${palette.dataset.place}`;

const recent = () => {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? [];
  } catch {
    return [];
  }
};

// Pages of single things are worth going back to; lists are a key away.
const note = () => {
  const title = document.querySelector("main h1")?.textContent.trim();
  if (!title || !/_[0-9a-z]{26}(\/|$)/.test(location.pathname)) return;
  const entry = { title, href: location.pathname };
  const others = recent().filter(({ href }) => href !== entry.href);
  localStorage.setItem(key, JSON.stringify([entry, ...others].slice(0, MOST)));
};

const row = ({ title, href }) => {
  const link = document.createElement("a");
  link.className = "menu__item";
  link.href = href;
  const words = document.createElement("span");
  words.className = "truncate";
  words.textContent = title;
  link.append(words);
  return link;
};

const showRecent = () => {
  palette.querySelector("[data-recent]").hidden = field.value !== "" || recent().length === 0;
  palette.querySelector("[data-recent-list]").replaceChildren(...recent().map(row));
};

const open = () => {
  if (!palette.open) palette.showModal();
  field.select();
  showRecent();
  if (!hits.dataset.loaded) window.htmx?.trigger(field, "palette");
  hits.dataset.loaded = "yes";
};

document.addEventListener("keydown", (event) => {
  if (!palette || event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey) return;
  event.preventDefault();
  open();
});

document.addEventListener("click", (event) => {
  if (!palette || !event.target.closest?.('[data-dialog="palette"]')) return;
  event.preventDefault();
  open();
});

palette?.addEventListener("keydown", (event) => {
  const stops = [field, ...[...palette.querySelectorAll("a")].filter((link) => link.checkVisibility())];
  const here = stops.indexOf(document.activeElement);
  const next = { ArrowDown: here + 1, ArrowUp: here - 1 }[event.key];
  if (next === undefined) {
    if (event.key === "Enter" && here === 0 && stops.length > 1 && field.value) {
      event.preventDefault();
      stops[1].click();
    }
    return;
  }
  event.preventDefault();
  stops[Math.max(0, Math.min(next, stops.length - 1))].focus();
});

// A click on the shade around it closes it, as Escape does.
palette?.addEventListener("click", (event) => {
  if (event.target === palette) palette.close();
});

field?.addEventListener("input", showRecent);
if (palette) note();

// Ctrl K or Cmd K opens the search box; the arrow keys walk through its hits, Enter opens one.

const palette = document.getElementById("palette");

document.addEventListener("keydown", (event) => {
  if (!palette || event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey) return;
  event.preventDefault();
  if (!palette.open) palette.showModal();
  palette.querySelector("input").select();
});

palette?.addEventListener("keydown", (event) => {
  const stops = [palette.querySelector("input"), ...palette.querySelectorAll("a")];
  const here = stops.indexOf(document.activeElement);
  const next = { ArrowDown: here + 1, ArrowUp: here - 1 }[event.key];
  if (next === undefined) {
    if (event.key === "Enter" && here === 0 && stops.length > 1) {
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

// A chart's figures under the pointer at once; without scripts the browser's own title shows them after a while.

const wordsOf = (group) => {
  const title = group.querySelector("title");
  if (title) {
    group.dataset.tip = title.textContent;
    title.remove();
  }
  return group.dataset.tip ?? "";
};

const tipOf = (plot) => {
  let tip = plot.querySelector(".chart__tip");
  if (!tip) {
    tip = document.createElement("div");
    tip.className = "chart__tip";
    tip.setAttribute("aria-hidden", "true");
    plot.append(tip);
  }
  return tip;
};

let shown = null;

document.addEventListener("pointerover", (event) => {
  const group = event.target instanceof Element ? event.target.closest(".plot-group") : null;
  const plot = group?.closest(".chart__plot");
  if (shown && shown.parentElement !== plot) shown.hidden = true;
  if (!plot) return;
  const tip = tipOf(plot);
  const frame = plot.getBoundingClientRect();
  const slot = group.getBoundingClientRect();
  const middle = slot.left + slot.width / 2 - frame.left;
  const isRight = middle > frame.width / 2;
  tip.textContent = wordsOf(group);
  tip.hidden = false;
  tip.style.insetInlineStart = isRight ? "auto" : `${middle + slot.width / 2 + 6}px`;
  tip.style.insetInlineEnd = isRight ? `${frame.width - middle + slot.width / 2 + 6}px` : "auto";
  shown = tip;
});

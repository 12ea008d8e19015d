// The playground's small parts: nodes, icons, lengths of time, money. Its scripts share what they need of each
// other as `form.playground`; they run in the order in which the page names them.

const form = document.getElementById("playground");
const sprite = document.querySelector("svg use").getAttribute("href").split("#")[0];
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

const element = (name, attributes = {}, ...children) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};

const icon = (name) => {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "icon icon--sm");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `${sprite}#i-${name}`);
  svg.append(use);
  return svg;
};

// The same words as apps/core/formatting.py.
const duration = (ms) => {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1000) return `${Math.round(ms)}\u00a0ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)}\u00a0s`;
  return `${Math.round(ms / 60_000)}\u00a0min`;
};

const money = (amount) => {
  const size = Number(amount);
  if (size === 0 || size >= 0.01) return `$${size.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  return `$${size.toFixed(3 - Math.floor(Math.log10(size)))}`;
};

const costWords = (cost) => {
  if (!cost) return "–";
  if (cost.status === "none") return "none";
  if (cost.status === "unknown" || cost.amount === null) return "unknown";
  if (cost.status === "free") return "free";
  return cost.status === "sandbox" ? `${money(cost.amount)} sandbox` : money(cost.amount);
};

const tokenWords = (usage) => {
  if (!usage || usage.origin === "none") return "–";
  const one = (count) => (count === null ? "unknown" : count.toLocaleString("en"));
  return `${usage.origin === "estimated" ? "≈ " : ""}${one(usage.input_tokens)} / ${one(usage.output_tokens)}`;
};

const prettyJSON = (text) => {
  try {
    const value = JSON.parse(text);
    return value && typeof value === "object" ? JSON.stringify(value, null, 2) : null;
  } catch {
    return null;
  }
};

form.playground = {
  facts: JSON.parse(document.getElementById("playground-facts").textContent),
  columns: document.getElementById("columns"),
  shared: document.getElementById("messages-list"),
  said: document.getElementById("playground-said"),
  running: new Map(),
  results: new WeakMap(),
  all, element, icon, duration, money, costWords, tokenWords, prettyJSON,
};

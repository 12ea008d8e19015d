// data-copy="text" copies its value; data-copy-from="id" copies that element's text.

const announce = (button, icon, words) => {
  const use = button.querySelector("use");
  const before = { label: button.getAttribute("aria-label"), href: use?.getAttribute("href") };
  button.setAttribute("aria-label", words);
  button.setAttribute("title", words);
  use?.setAttribute("href", before.href.replace(/#.*/, `#${icon}`));
  setTimeout(() => {
    button.setAttribute("aria-label", before.label);
    button.setAttribute("title", before.label);
    use?.setAttribute("href", before.href);
    delete button.dataset.copied;
  }, 1600);
};

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy], [data-copy-from]");
  if (!button || button.dataset.copied) return;
  const source = button.dataset.copyFrom && document.getElementById(button.dataset.copyFrom);
  const text = source ? (source.value ?? source.textContent) : button.dataset.copy;
  button.dataset.copied = "yes";
  try {
    await navigator.clipboard.writeText(text);
    announce(button, "i-check", "Copied");
  } catch {
    announce(button, "i-alert", "Copying is not allowed here: select the text instead");
  }
});

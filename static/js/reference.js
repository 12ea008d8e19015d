// Search in the API reference: operations without every word are hidden. A linked operation opens itself.
const operations = [...document.querySelectorAll("[data-reference-operation]")];

function narrow(words) {
  for (const operation of operations) {
    const text = operation.textContent.toLowerCase();
    operation.hidden = !words.every((word) => text.includes(word));
  }
  for (const group of document.querySelectorAll("[data-reference-group]")) {
    group.hidden = !group.querySelector("[data-reference-operation]:not([hidden])");
  }
}

function openLinked() {
  const found = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (found instanceof HTMLDetailsElement) found.open = true;
}

document.querySelector("[data-reference-search]").addEventListener("input", (event) => {
  narrow(event.target.value.toLowerCase().split(/\s+/).filter(Boolean));
});
window.addEventListener("hashchange", openLinked);
openLinked();

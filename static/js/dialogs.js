// data-dialog="id" opens <dialog id> on top; data-dialog-close closes the one around it.
// Without script the same element is a link to a page where the server renders <dialog open>.

document.addEventListener("click", (event) => {
  const opener = event.target.closest?.("[data-dialog]");
  const dialog = opener && document.getElementById(opener.dataset.dialog);
  if (dialog) {
    event.preventDefault();
    dialog.showModal();
    return;
  }
  const closer = event.target.closest?.("[data-dialog-close]");
  const around = closer?.closest("dialog");
  if (around?.matches(":modal")) {
    event.preventDefault();
    around.close();
  }
});

// Forms with data-passkey="create" or "get" talk to the browser's passkeys before they are sent.
// data-options names the element that holds the server's challenge; data-options-url the address to ask for it.

const REASONS = {
  NotAllowedError: "Nothing was sent: the passkey was not chosen in time, or the question was closed. Try again.",
  InvalidStateError: "This device keeps a passkey for your account already.",
  SecurityError: "Passkeys need an address with a name and https (or localhost). This page has none.",
  NotSupportedError: "This device can't keep such a passkey.",
};

const toBytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

const withBytes = (credentials = []) => credentials.map((each) => ({ ...each, id: toBytes(each.id) }));

const parts = (credential, names) => {
  const response = {};
  for (const name of names) {
    if (credential.response[name]) response[name] = toText(credential.response[name]);
  }
  return {
    id: credential.id,
    rawId: toText(credential.rawId),
    type: credential.type,
    response,
    clientExtensionResults: credential.getClientExtensionResults(),
  };
};

const create = async ({ publicKey }, form) => {
  const alone = form.elements.passwordless?.checked ?? false;
  const selection = {
    ...publicKey.authenticatorSelection,
    residentKey: alone ? "required" : "discouraged",
    requireResidentKey: alone,
    ...(alone && { userVerification: "required" }),
  };
  const made = await navigator.credentials.create({
    publicKey: {
      ...publicKey,
      challenge: toBytes(publicKey.challenge),
      user: { ...publicKey.user, id: toBytes(publicKey.user.id) },
      excludeCredentials: withBytes(publicKey.excludeCredentials),
      authenticatorSelection: selection,
    },
  });
  return parts(made, ["clientDataJSON", "attestationObject"]);
};

const get = async ({ publicKey }) => {
  const used = await navigator.credentials.get({
    publicKey: {
      ...publicKey,
      challenge: toBytes(publicKey.challenge),
      allowCredentials: withBytes(publicKey.allowCredentials),
    },
  });
  return parts(used, ["clientDataJSON", "authenticatorData", "signature", "userHandle"]);
};

const optionsOf = async (form) => {
  if (form.dataset.options) {
    const held = JSON.parse(document.getElementById(form.dataset.options).textContent);
    return held.creation_options ?? held.request_options;
  }
  const response = await fetch(form.dataset.optionsUrl, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(response.statusText);
  return (await response.json()).request_options;
};

const complain = (form, problem) => {
  const place = form.querySelector("[data-passkey-error]");
  place.textContent = REASONS[problem.name] ?? "The passkey could not be used. Reload the page and try again.";
  place.hidden = false;
  for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
};

const prepare = (form) => {
  const field = form.elements.credential;
  let answered = false;
  form.addEventListener("submit", async (event) => {
    if (answered) return;
    // Before the shared script marks the form as sent.
    event.preventDefault();
    form.querySelector("[data-passkey-error]").hidden = true;
    try {
      const options = await optionsOf(form);
      const ceremony = form.dataset.passkey === "create" ? create : get;
      field.value = JSON.stringify(await ceremony(options, form));
      answered = true;
      form.requestSubmit();
    } catch (problem) {
      complain(form, problem);
    }
  });
};

for (const form of document.querySelectorAll("[data-passkey]")) {
  if (window.PublicKeyCredential) prepare(form);
  else form.hidden = true;
}

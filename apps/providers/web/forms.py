"""The form of a provider connection."""

from typing import Any

from django import forms

from apps.core.errors import PromptsaasError
from apps.providers.models import ProviderCredential

ROWS = {"rows": 4, "spellcheck": "false", "autocapitalize": "off"}


class ConnectionForm(forms.Form):
    """A new connection, or with `credential` the change of one: what stays empty then stays as it is."""

    name = forms.CharField(
        max_length=40,
        help_text="Stands before the model in a prompt, as in openai/gpt-4o-mini. It can't be changed later.",
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocapitalize": "off"}),
    )
    base_url = forms.CharField(
        label="Base URL",
        max_length=500,
        help_text="Of any OpenAI-compatible server. It usually ends in /v1.",
        widget=forms.TextInput(attrs={"inputmode": "url", "spellcheck": "false"}),
    )
    api_key = forms.CharField(
        label="API key",
        required=False,
        max_length=4_000,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Stored sealed and never shown again. Empty for a server that asks for none.",
    )
    keyless = forms.BooleanField(label="This server asks for no key", required=False)
    headers = forms.CharField(
        label="Extra headers",
        required=False,
        widget=forms.Textarea(attrs=ROWS),
        help_text="One a line, as in X-Team: blue. Stored sealed, like the key.",
    )
    drop_headers = forms.BooleanField(label="Remove the stored headers", required=False)
    models = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs=ROWS),
        help_text="Model ids, one a line. If you leave this empty, a test call fetches the list.",
    )

    def __init__(self, *arguments: Any, credential: ProviderCredential | None = None, **named: Any) -> None:
        if credential is not None:
            stored = {"base_url": credential.base_url, "models": "\n".join(credential.model_ids)}
            named["initial"] = stored | (named.get("initial") or {})
        super().__init__(*arguments, **named)
        self.credential = credential
        if credential is None:
            del self.fields["drop_headers"], self.fields["keyless"]
            return
        del self.fields["name"]
        self.fields[
            "api_key"
        ].help_text = "Empty keeps the stored key. A changed address or header asks for it."
        if credential.header_names:
            kept = ", ".join(credential.header_names)
            self.fields[
                "headers"
            ].help_text = f"Stored: {kept}. Empty keeps them; one a line replaces them all."
        else:
            del self.fields["drop_headers"]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("api_key") and given.get("keyless"):
            self.add_error("keyless", "Enter a key or say that there is none, not both.")
        return given

    def clean_headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        for line in filter(str.strip, self.cleaned_data["headers"].splitlines()):
            name, colon, value = line.partition(":")
            if not colon:
                raise forms.ValidationError(f"“{line[:60]}” has no colon.")
            headers[name.strip()] = value.strip()
        return headers

    def clean_models(self) -> list[str]:
        return [line for line in map(str.strip, self.cleaned_data["models"].splitlines()) if line]

    def values(self) -> dict[str, Any]:
        """What the service takes; None where the stored value stays."""
        given = self.cleaned_data
        headers = given["headers"] or None
        if given.get("drop_headers") and not headers:
            headers = {}
        return {
            "base_url": given["base_url"],
            "api_key": "" if given.get("keyless") else given["api_key"] or self._absent_key(),
            "headers": headers,
            "models": given["models"],
        }

    def _absent_key(self) -> str | None:
        """What an empty field means: no key for a new connection, the stored one for another."""
        return None if self.credential else ""

    def add_problem(self, problem: PromptsaasError) -> None:
        """Show what the service refused at the field that it names."""
        self.add_error(problem.param if problem.param in self.fields else None, problem.message)

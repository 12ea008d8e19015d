"""The forms of connections, enabled models, default model and own prices."""

from datetime import UTC, date, datetime, time
from typing import Any, Final, cast

from django import forms
from django.utils import timezone

from apps.core.errors import PromptsaasError
from apps.providers.connection_values import MOST_CONCURRENT_CALLS
from apps.providers.models import ProviderAPI, ProviderCredential
from apps.providers.types import API

ROWS: Final = {"rows": 4, "spellcheck": "false", "autocapitalize": "off"}
PLAIN: Final = {"spellcheck": "false", "autocapitalize": "off"}
EVERY_PROJECT: Final = "every"


class ServiceForm(forms.Form):
    """A form whose service may refuse what it was given."""

    # The name that a service gives a value, where the form calls it otherwise.
    names: dict[str, str] = {}

    def add_problem(self, problem: PromptsaasError) -> None:
        """Show what the service refused at the field that it names."""
        field = self.names.get(problem.param or "", problem.param)
        self.add_error(field if field in self.fields else None, problem.message)


class ConnectionForm(ServiceForm):
    """A new connection, or with `credential` the change of one: what stays empty then stays as it is.

    `may_share` offers a new one to every project.
    """

    api = forms.ChoiceField(
        label="The server speaks",
        required=False,
        choices=ProviderAPI.choices,
        initial="openai",
        widget=forms.RadioSelect,
    )
    name = forms.CharField(
        max_length=40,
        help_text="Stands before the model in a prompt, as in openai/gpt-4o-mini. It can't be changed later.",
        widget=forms.TextInput(attrs=PLAIN),
    )
    base_url = forms.CharField(
        label="Base URL",
        required=False,
        max_length=500,
        help_text="Empty for OpenAI's or Anthropic's own. Other OpenAI-compatible ones usually end in /v1.",
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
        label="Enabled models",
        required=False,
        widget=forms.Textarea(attrs=ROWS),
        help_text="Model ids, one a line; * stands for any text. If empty, a test call enables all it finds.",
    )
    concurrent_calls = forms.IntegerField(
        label="Calls at a time",
        required=False,
        min_value=1,
        max_value=MOST_CONCURRENT_CALLS,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
        help_text="In each process; further calls wait their turn. Empty for no limit.",
    )
    reach = forms.ChoiceField(
        label="Serves", initial="", required=False, widget=forms.RadioSelect, choices=[("", "This project")]
    )

    def __init__(
        self,
        *arguments: Any,
        credential: ProviderCredential | None = None,
        may_share: bool = False,
        **named: Any,
    ) -> None:
        if credential is not None:
            stored = {
                "base_url": credential.base_url,
                "models": "\n".join(credential.model_ids),
                "concurrent_calls": credential.concurrent_calls,
            }
            named["initial"] = stored | (named.get("initial") or {})
        super().__init__(*arguments, **named)
        self.credential = credential
        if credential is None:
            self._prepare_new(may_share)
        else:
            self._prepare_change(credential)

    def _prepare_new(self, may_share: bool) -> None:
        del self.fields["drop_headers"], self.fields["keyless"]
        if may_share:
            reach = cast("forms.ChoiceField", self.fields["reach"])
            reach.choices = [("", "This project"), (EVERY_PROJECT, "Every project of the organization")]
        else:
            del self.fields["reach"]

    def _prepare_change(self, credential: ProviderCredential) -> None:
        del self.fields["name"], self.fields["api"], self.fields["reach"]
        key, headers = self.fields["api_key"], self.fields["headers"]
        key.label = "New API key"
        key.help_text = "Replaces the stored key; empty keeps it. A changed address or header asks for it."
        if credential.header_names:
            kept = ", ".join(credential.header_names)
            headers.help_text = f"Stored: {kept}. Empty keeps them; one a line replaces them all."
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
        return _lines(self.cleaned_data["models"])

    @property
    def every_project(self) -> bool:
        """Whether a new connection is to serve every project."""
        return self.cleaned_data.get("reach") == EVERY_PROJECT

    @property
    def chosen_api(self) -> API:
        """What a new connection's server speaks."""
        return cast("API", self.cleaned_data["api"] or "openai")

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
            "concurrent_calls": given["concurrent_calls"],
        }

    def _absent_key(self) -> str | None:
        """What an empty field means: no key for a new connection, the stored one for another."""
        return None if self.credential else ""


class EnabledModelsForm(ServiceForm):
    """Which of the provider's models can be called, and others that it does not list."""

    names = {"models": "others"}

    listed = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    others = forms.CharField(
        label="Other models",
        required=False,
        widget=forms.Textarea(attrs=ROWS),
        help_text="Ids that the list lacks, one a line. * stands for any text, as in gpt-4o*.",
    )

    def __init__(self, *arguments: Any, credential: ProviderCredential, **named: Any) -> None:
        enabled, listed = credential.model_ids, set(credential.listed_models)
        named["initial"] = {
            "listed": [model for model in enabled if model in listed],
            "others": "\n".join(model for model in enabled if model not in listed),
        }
        super().__init__(*arguments, **named)
        field = cast("forms.MultipleChoiceField", self.fields["listed"])
        field.label = f"Models that {credential.name} lists"
        field.choices = [(model, model) for model in credential.listed_models]

    def models(self) -> list[str]:
        """The models to enable."""
        return [*self.cleaned_data["listed"], *_lines(self.cleaned_data["others"])]


class PriceForm(ServiceForm):
    """A new own price; dates are days in UTC."""

    names = {
        "model": "pattern",
        "input": "input_price",
        "output": "output_price",
        "cached_input": "cached_input_price",
        "starts_at": "starts_on",
        "ends_at": "ends_on",
    }

    pattern = forms.CharField(
        label="Model",
        max_length=255,
        widget=forms.TextInput(attrs=PLAIN),
        help_text="connection/model, as in openai/gpt-4o. * stands for any text, as in local/*.",
    )
    input_price = forms.DecimalField(label="Input, $ per million tokens", min_value=0, decimal_places=6)
    output_price = forms.DecimalField(label="Output, $ per million tokens", min_value=0, decimal_places=6)
    cached_input_price = forms.DecimalField(
        label="Cached input, $ per million tokens",
        required=False,
        min_value=0,
        decimal_places=6,
        help_text="Empty where cached input costs as much as other input.",
    )
    batch_discount = forms.DecimalField(
        label="Discount of the provider's batch endpoint, %",
        required=False,
        min_value=0,
        max_value=100,
        decimal_places=2,
        help_text="Empty for what the provider publishes, 50 % at OpenAI and Anthropic.",
    )
    starts_on = forms.DateField(
        label="From",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The beginning of this day, UTC. Empty for now. What ran before keeps its price.",
    )
    ends_on = forms.DateField(
        label="Up to",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The beginning of this day, UTC. Empty for no end.",
    )
    reach = forms.ChoiceField(
        label="Holds for",
        initial="",
        required=False,
        widget=forms.RadioSelect,
        choices=[("", "This project"), (EVERY_PROJECT, "Every project of the organization")],
    )

    def __init__(self, *arguments: Any, may_share: bool, **named: Any) -> None:
        super().__init__(*arguments, **named)
        if not may_share:
            del self.fields["reach"]

    @property
    def every_project(self) -> bool:
        """Whether it is to hold for every project."""
        return self.cleaned_data.get("reach") == EVERY_PROJECT

    def values(self) -> dict[str, Any]:
        """What the service takes."""
        given = self.cleaned_data
        names = ("pattern", "input_price", "output_price", "cached_input_price", "batch_discount")
        return {name: given[name] for name in names} | {
            "starts_at": _midnight(given["starts_on"]) or timezone.now(),
            "ends_at": _midnight(given["ends_on"]),
        }


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time.min, UTC)


def _lines(text: str) -> list[str]:
    return [line for line in map(str.strip, text.splitlines()) if line]

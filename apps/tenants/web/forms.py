"""Forms of organizations, projects and API keys."""

from datetime import datetime, timedelta
from typing import Any, Final

from django import forms
from django.utils import timezone

from apps.tenants.limits import MOST, most_of_key
from apps.tenants.roles import SCOPE_DESCRIPTIONS, Scope, scope_permissions

LIFETIMES: Final = {"30": "30 days", "90": "90 days", "365": "1 year", "never": "Never"}
OVERLAPS: Final = {
    "0": "no time: it stops at once",
    "3600": "1 more hour",
    "86400": "1 more day",
    "259200": "3 more days",
    "604800": "7 more days",
}
_SCOPE_CHOICES: Final = [(scope.value, f"{scope.value}: {SCOPE_DESCRIPTIONS[scope]}") for scope in Scope]


class OrganizationForm(forms.Form):
    """The name of a new organization."""

    name = forms.CharField(label="Name", max_length=100, help_text="Your company or team.")


class ProjectForm(forms.Form):
    """The name of a new project."""

    name = forms.CharField(
        label="Name",
        max_length=100,
        help_text="A product or an environment. Prompts, datasets and keys live in it.",
    )


def _networks_field() -> forms.CharField:
    return forms.CharField(
        label="Allowed networks",
        required=False,
        max_length=2000,
        help_text="Addresses or networks that it may be used from, one a line, such as 203.0.113.0/24. "
        "Empty: from everywhere.",
        widget=forms.Textarea(attrs={"rows": 2, "class": "input mono", "spellcheck": "false"}),
    )


def _limit_field(name: str, label: str, help_text: str) -> forms.IntegerField:
    return forms.IntegerField(
        label=label, required=False, min_value=1, max_value=MOST[name], help_text=help_text
    )


class LimitsForm(forms.Form):
    """What bounds a key, or all keys of an organization together."""

    requests_per_minute = _limit_field("requests_per_minute", "Requests a minute", "Empty: not limited.")
    tokens_per_minute = _limit_field(
        "tokens_per_minute", "Tokens a minute", "Input and output together. Empty: not limited."
    )
    concurrent_runs = _limit_field("concurrent_runs", "Runs at a time", "Empty: not limited.")

    def limits(self) -> dict[str, int | None]:
        """All of them; call after `is_valid`."""
        return {name: self.cleaned_data[name] for name in MOST}


class KeyLimitsForm(LimitsForm):
    """A key's; the installation has a limit of requests for every key."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        most = most_of_key()["requests_per_minute"]
        self.fields["requests_per_minute"].help_text = f"At most {most:,}, which empty means."


class KeyForm(KeyLimitsForm):
    """A new API key. Offers only the scopes that its maker holds."""

    name = forms.CharField(
        label="Name", max_length=100, help_text="Where it will be used, such as “checkout service”."
    )
    livemode = forms.ChoiceField(
        label="Kind",
        choices=[("live", "Live: calls your models"), ("test", "Test: always the sandbox, free of charge")],
        widget=forms.RadioSelect,
        initial="live",
    )
    scopes = forms.MultipleChoiceField(
        label="May", widget=forms.CheckboxSelectMultiple, choices=_SCOPE_CHOICES
    )
    lifetime = forms.ChoiceField(label="Expires", choices=list(LIFETIMES.items()), initial="90")
    allowed_networks = _networks_field()

    def __init__(self, *args: Any, permissions: frozenset[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        held = [(value, text) for value, text in _SCOPE_CHOICES if scope_permissions([value]) <= permissions]
        self.fields["scopes"] = forms.MultipleChoiceField(
            label="May",
            widget=forms.CheckboxSelectMultiple,
            choices=held,
            initial=[value for value, _ in held if value in {Scope.READ, Scope.RUN}],
            error_messages={"required": "Choose at least one."},
        )

    def expires_at(self) -> datetime | None:
        """When the key ends, counted from now; None for never."""
        days = self.cleaned_data["lifetime"]
        return None if days == "never" else timezone.now() + timedelta(days=int(days))


class EditKeyForm(KeyLimitsForm):
    """What may change of a key."""

    name = forms.CharField(label="Name", max_length=100)
    allowed_networks = _networks_field()


class RotateKeyForm(forms.Form):
    """How long the old key goes on."""

    overlap = forms.ChoiceField(
        label="The old key works for",
        choices=list(OVERLAPS.items()),
        initial="86400",
        help_text="Time to bring the new key everywhere the old one is.",
    )

    def duration(self) -> timedelta:
        """The overlap; call after `is_valid`."""
        return timedelta(seconds=int(self.cleaned_data["overlap"]))

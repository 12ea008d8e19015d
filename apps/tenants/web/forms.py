"""Forms of organizations, projects and API keys."""

from datetime import datetime, timedelta
from typing import Any, Final

from django import forms
from django.utils import timezone

from apps.tenants.roles import SCOPE_DESCRIPTIONS, Scope, scope_permissions

LIFETIMES: Final = {"30": "30 days", "90": "90 days", "365": "1 year", "never": "Never"}
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


class KeyForm(forms.Form):
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

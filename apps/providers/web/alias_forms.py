"""The form of a model alias."""

from typing import Any

from django import forms

from apps.providers.models import ModelAlias
from apps.providers.web.forms import EVERY_PROJECT, PLAIN, ServiceForm


class AliasForm(ServiceForm):
    """A new alias, or with `alias` the change of one; `may_share` offers a new one to every project."""

    name = forms.CharField(
        max_length=255,
        widget=forms.TextInput(attrs=PLAIN),
        help_text="A word, as in fast, or the reference of a model that goes away, as in openai/gpt-4. "
        "It can't be changed later.",
    )
    target = forms.CharField(
        label="Stands for",
        max_length=255,
        widget=forms.TextInput(attrs={**PLAIN, "list": "models"}),
        help_text="connection/model. Prompts, calls and fallbacks that name the alias are sent there.",
    )
    reason = forms.CharField(required=False, max_length=200, help_text="For those who read the list.")
    reach = forms.ChoiceField(
        label="Holds for",
        initial="",
        required=False,
        widget=forms.RadioSelect,
        choices=[("", "This project"), (EVERY_PROJECT, "Every project of the organization")],
    )

    def __init__(
        self, *arguments: Any, alias: ModelAlias | None = None, may_share: bool = False, **named: Any
    ) -> None:
        if alias is not None:
            named["initial"] = {"target": alias.target, "reason": alias.reason}
        super().__init__(*arguments, **named)
        if alias is not None:
            del self.fields["name"]
        if alias is not None or not may_share:
            del self.fields["reach"]

    @property
    def every_project(self) -> bool:
        """Whether it is to hold for every project."""
        return self.cleaned_data.get("reach") == EVERY_PROJECT

    def values(self) -> dict[str, Any]:
        """What the service takes, beside the name."""
        return {name: self.cleaned_data[name] for name in ("target", "reason")}

"""Forms of retention: how long, whether at all, and holds."""

from typing import Any, Final

from django import forms

from apps.retention import rules
from apps.retention.rules import Rule
from apps.retention.services.holds import LONGEST_REASON
from apps.tenants.models import Project

FOLLOW: Final = "follow"
KEEP: Final = "keep"
DAYS: Final = "days"
STORING: Final = {"": None, "store": True, "never": False}


class ScopeForm(forms.Form):
    """How long one class is kept in one place: as what stands above it says, for ever, or for days."""

    keep = forms.ChoiceField(label="Kept")
    days = forms.IntegerField(label="Days", required=False)

    def __init__(self, *args: Any, rule: Rule, above: str, name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rule = rule
        self.name = name
        self.fields["keep"] = forms.ChoiceField(
            label=f"Kept in {name}",
            choices=[(FOLLOW, above), (KEEP, "No limit"), (DAYS, "For so many days")],
        )
        self.fields["days"] = forms.IntegerField(
            label=f"Days in {name}",
            required=False,
            min_value=rule.fewest_days,
            max_value=rules.MOST_DAYS,
            widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("keep") == DAYS and cleaned.get("days") is None and "days" not in self.errors:
            self.add_error("days", "Say how many days.")
        return cleaned


class StoringForm(forms.Form):
    """Whether content of runs is stored in one place."""

    stores = forms.ChoiceField(label="Stored", required=False)

    def __init__(self, *args: Any, name: str, is_project: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.name = name
        follow = [("", "As the organization")] if is_project else []
        self.fields["stores"] = forms.ChoiceField(
            label=f"Content in {name}",
            required=not is_project,
            choices=[*follow, ("store", "Store"), ("never", "Never store")],
        )

    @property
    def stored(self) -> bool | None:
        """What was chosen; None follows the organization."""
        return STORING[self.cleaned_data["stores"]]


class HoldForm(forms.Form):
    """What a new hold covers, and why."""

    project = forms.ChoiceField(label="Project")
    prompt = forms.CharField(
        label="Prompt",
        required=False,
        max_length=255,
        help_text="Its name, for a hold on one prompt. Empty: the whole project.",
    )
    reason = forms.CharField(
        label="Reason",
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Who asked for it, and under which number. Only those who manage privacy see it.",
    )

    def __init__(self, *args: Any, projects: list[Project], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["project"] = forms.ChoiceField(
            label="Project", choices=[(each.public_id, each.name) for each in projects]
        )


class ReleaseForm(forms.Form):
    """Why a hold ends."""

    reason = forms.CharField(
        label="Reason", max_length=LONGEST_REASON, widget=forms.Textarea(attrs={"rows": 3})
    )

"""Fields that say when and how fast a batch runs, for a new one and for one that waits or runs."""

from decimal import Decimal
from typing import Any, Final

from django import forms
from django.utils import timezone

from apps.batches.models import LARGEST_CONCURRENCY, BatchJob, Delivery, JobStatus, Priority
from apps.batches.rules import RerunRule, RowChoice
from apps.batches.services import BatchChanges
from apps.batches.services.changing import UNCHANGED
from apps.batches.services.starting import DEFAULT_CONCURRENCY
from apps.core.errors import InvalidRequest

DEFAULT_SAMPLE: Final = 5
DELIVERIES: Final = [
    (Delivery.DIRECT.value, "Call by call, now"),
    (Delivery.PROVIDER_BATCH.value, "Through the provider's batch endpoint: within a day, cheaper"),
]
PRIORITIES: Final = [
    (Priority.HIGH.value, "High: before the others"),
    (Priority.NORMAL.value, "Normal"),
    (Priority.LOW.value, "Low: after the others"),
]
RERUNS: Final = [
    ("", "Nothing"),
    ("differs", "Rows that differ from the expected value"),
    ("below", "Rows whose number field is below a bound"),
    ("failed", "Rows that failed"),
]
_MINUTES: Final = "%Y-%m-%dT%H:%M"


class MomentField(forms.DateTimeField):
    """A time of the reader's zone, as browsers send it."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_MINUTES)
        super().__init__(
            widget=widget, input_formats=[_MINUTES, "%Y-%m-%dT%H:%M:%S"], required=False, **kwargs
        )


def cap_field(help_text: str) -> forms.DecimalField:
    """An amount of money that a batch must not go beyond."""
    return forms.DecimalField(
        label="Cost cap in US dollars",
        min_value=Decimal("0.000001"),
        max_digits=16,
        decimal_places=6,
        required=False,
        help_text=help_text,
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
    )


def concurrency_field() -> forms.IntegerField:
    """How many calls are in flight at once."""
    return forms.IntegerField(
        label="Concurrency",
        min_value=1,
        max_value=LARGEST_CONCURRENCY,
        initial=DEFAULT_CONCURRENCY,
        help_text=f"Calls in flight at once, up to {LARGEST_CONCURRENCY}.",
    )


def priority_field() -> forms.TypedChoiceField:
    """Whose rows come first."""
    return forms.TypedChoiceField(
        label="Priority",
        choices=PRIORITIES,
        coerce=int,
        initial=Priority.NORMAL.value,
        required=False,
        help_text="Among this organization's batches.",
    )


class ControlFields(forms.Form):
    """What a new batch may be told beside prompt and rows."""

    concurrency = concurrency_field()
    row_limit = forms.IntegerField(
        label="Row limit", min_value=1, required=False, help_text="Only the first rows; empty for all."
    )
    cost_cap = cap_field("The batch stops before it costs more; empty for no cap.")
    delivery = forms.ChoiceField(
        label="Delivery",
        choices=DELIVERIES,
        initial=Delivery.DIRECT.value,
        required=False,
        widget=forms.RadioSelect,
        help_text="Rows that the provider leaves unanswered are called directly, at the direct price.",
    )
    deduplicate = forms.BooleanField(
        label="Answer equal rows once",
        required=False,
        help_text="Rows with equal values of the prompt's variables get one row's answer, at no cost.",
    )
    sample = forms.BooleanField(
        label="Run a sample first",
        required=False,
        help_text="The batch pauses after it, for you to look and go on or stop.",
    )
    sample_rows = forms.IntegerField(
        label="Rows of the sample", min_value=1, required=False, initial=DEFAULT_SAMPLE
    )
    start_at = MomentField(label="Start", help_text="Empty for now.")
    deadline = MomentField(label="Deadline", help_text="Empty for 24 hours after the start.")
    priority = priority_field()
    notify = forms.BooleanField(
        label="Mail me when it ends or pauses", required=False, help_text="To your own address."
    )
    rerun = forms.ChoiceField(
        label="Run again at the end",
        choices=RERUNS,
        required=False,
        help_text="As a batch of its own, linked to this one. Its cost is not in the estimate.",
    )
    rerun_field = forms.CharField(
        label="Number field of the output", max_length=255, required=False, help_text="Such as confidence."
    )
    rerun_below = forms.FloatField(label="Below", required=False)
    rerun_model = forms.ChoiceField(label="With the model", required=False)

    def control_options(self) -> dict[str, Any]:
        """The fields as those of BatchOptions; call after `is_valid`."""
        data = self.cleaned_data
        names = ("concurrency", "row_limit", "cost_cap", "deduplicate", "start_at", "deadline", "notify")
        return {
            **{name: data[name] for name in names},
            "priority": data["priority"] or Priority.NORMAL.value,
            "delivery": data.get("delivery") or Delivery.DIRECT.value,
            "sample_rows": (data["sample_rows"] or DEFAULT_SAMPLE) if data["sample"] else None,
            "rerun_rule": self._rule(),
        }

    def opened(self) -> dict[str, bool]:
        """Which folded parts of the page hold something that was filled in or is wrong."""
        parts = {
            "when": ("start_at", "deadline", "notify", "priority"),
            "after": ("rerun", "rerun_field", "rerun_below", "rerun_model"),
        }
        return {part: any(self._touched(name) for name in names) for part, names in parts.items()}

    def _touched(self, name: str) -> bool:
        return name in self.errors or self[name].value() not in (None, "", False, "0", 0)

    def clean(self) -> dict[str, Any]:
        """A rule is as a rule must be."""
        data = super().clean() or self.cleaned_data
        if data.get("rerun") and not self.errors:
            try:
                self._rule()
            except InvalidRequest as problem:
                field = "rerun_below" if data.get("rerun_field") else "rerun_field"
                self.add_error(field, problem.message)
        return data

    def _rule(self) -> RerunRule | None:
        data = self.cleaned_data
        kind = data["rerun"]
        if not kind:
            return None
        choices = {
            "differs": RowChoice(match="differs"),
            "failed": RowChoice(status="failed"),
            "below": RowChoice(field=data["rerun_field"], below=data["rerun_below"]),
        }
        rule = RerunRule(choices[kind], data["rerun_model"])
        rule.check()
        return rule


class ControlForm(forms.Form):
    """What may be changed of a batch that has not ended. A cap is only changed where there is one, a start
    time only before it.
    """

    priority = priority_field()
    concurrency = concurrency_field()
    cost_cap = cap_field("Not below what is spent and set aside for calls in flight.")
    start_at = MomentField(label="Start", help_text="Empty to start now.")
    deadline = MomentField(label="Deadline", help_text="What is not run until then is left out.")

    def __init__(self, data: Any = None, *, job: BatchJob) -> None:
        initial = {
            "priority": job.priority,
            "concurrency": job.concurrency,
            "cost_cap": None if job.cost_cap is None else f"{job.cost_cap.normalize():f}",
            "start_at": job.start_at,
            "deadline": job.expires_at,
        }
        super().__init__(data, initial=initial)
        self._job = job
        if job.cost_cap is None:
            del self.fields["cost_cap"]
        else:
            self.fields["cost_cap"].required = True
        if job.status != JobStatus.SCHEDULED:
            del self.fields["start_at"]

    def changes(self) -> BatchChanges:
        """What is to be different; call after `is_valid`."""
        data, job = self.cleaned_data, self._job
        start_at, deadline = data.get("start_at"), data["deadline"]
        moved = "start_at" in self.fields and not _same_minute(start_at, job.start_at)
        return BatchChanges(
            priority=data["priority"] or Priority.NORMAL.value,
            concurrency=data["concurrency"],
            cost_cap=data.get("cost_cap"),
            start_at=start_at if moved else UNCHANGED,
            deadline=None if _same_minute(deadline, job.expires_at) else deadline,
        )


def _same_minute(one: Any, other: Any) -> bool:
    """The page shows minutes: a time that reads the same has not been changed."""
    if one is None or other is None:
        return one is other
    return bool(timezone.localtime(one).strftime(_MINUTES) == timezone.localtime(other).strftime(_MINUTES))

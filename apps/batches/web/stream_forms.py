"""The form of a new stream."""

from typing import Any

from django import forms

from apps.batches.models import LARGEST_CONCURRENCY
from apps.batches.services.starting import DEFAULT_CONCURRENCY, BatchOptions
from apps.batches.web.forms import Choices
from apps.batches.web.work_forms import reference_of
from apps.batches.work import DEFAULT_ROWS_PER_CALL, MOST_ROWS_PER_CALL, MultiRowWork, RowWork, Work
from apps.core.errors import PromptsaasError
from apps.runs.types import PromptReference


class StreamForm(forms.Form):
    """A name, what runs, and how far a day may go."""

    name = forms.CharField(
        label="Name",
        max_length=64,
        help_text="Lower-case letters, digits, - and _. Programs name the stream by it.",
    )
    prompt = forms.ChoiceField(
        label="Prompt", help_text="A label is followed: rows that come after it moved run its version."
    )
    model = forms.ChoiceField(label="Model", required=False)
    concurrency = forms.IntegerField(
        label="Calls at a time", min_value=1, max_value=LARGEST_CONCURRENCY, initial=DEFAULT_CONCURRENCY
    )
    daily_cost_cap = forms.DecimalField(
        label="Cost cap a day, USD",
        max_digits=20,
        decimal_places=10,
        required=False,
        help_text="From midnight UTC on. Empty: no cap.",
    )
    rows_per_call = forms.IntegerField(
        label="Rows a call, at most",
        min_value=1,
        max_value=MOST_ROWS_PER_CALL,
        initial=1,
        help_text=f"More than one, such as {DEFAULT_ROWS_PER_CALL}, answers rows that wait together with one "
        "call; the prompt's JSON variable rows gets their list.",
    )

    def __init__(self, *args: Any, choices: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, offered in (("prompt", choices.prompts), ("model", choices.models)):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = offered

    def reference(self) -> PromptReference:
        """The chosen prompt; call after `is_valid`."""
        return reference_of(self.cleaned_data["prompt"])

    def options(self) -> BatchOptions:
        """How the stream's parts run; call after `is_valid`."""
        data = self.cleaned_data
        return BatchOptions(
            model=data["model"],
            concurrency=data["concurrency"],
            cost_cap=data["daily_cost_cap"],
            work=self._work(data["rows_per_call"]),
        )

    def add_problem(self, problem: PromptsaasError) -> None:
        """Say what a service refused, beside the field that it names."""
        names = {"cost_cap": "daily_cost_cap", "work.variable": "rows_per_call"}
        name = names.get(problem.param or "", problem.param)
        self.add_error(name if name in self.fields else None, problem.message)

    @staticmethod
    def _work(rows: int) -> Work:
        return RowWork() if rows == 1 else MultiRowWork(rows_per_call=rows)

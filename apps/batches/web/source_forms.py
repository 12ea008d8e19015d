"""Forms that say which rows a batch takes, other than a dataset's."""

from typing import Any, Final

from django import forms

from apps.batches.models import BatchJob
from apps.batches.row_sources import DEFAULT_RUNS, MOST_RUNS, BatchSource, RunsSource
from apps.batches.rules import RowChoice
from apps.batches.web.control_forms import MomentField
from apps.core import ids
from apps.prompts.models import Prompt
from apps.runs.models import RunSource, RunStatus
from apps.runs.queries import RunFilters
from apps.tenants.models import Project

MOST_PROMPTS: Final = 200
MOST_BATCHES: Final = 100
FEEDBACK: Final = [
    ("", "Any or none"),
    ("any", "With feedback"),
    ("low", "Scored 1 or 2"),
    ("high", "Scored 4 or 5"),
]
ORDERS: Final = [("newest", "The newest"), ("random", "A random sample")]
EXPECTED: Final = [
    ("answer", "What it answered"),
    ("correction", "Its latest correction, or else what it answered"),
    ("none", "Nothing"),
]
MATCHES: Final = [("", "Any"), ("differs", "Differ from the expected value"), ("match", "Match it")]
STATUSES: Final = [("", "Any"), ("failed", "Failed"), ("succeeded", "Done")]


class RunRowsForm(forms.Form):
    """Earlier runs by filter."""

    prompt = forms.ChoiceField(label="Prompt", required=False)
    version = forms.IntegerField(label="Version", min_value=1, required=False)
    label = forms.CharField(label="Label", max_length=36, required=False)
    status = forms.ChoiceField(
        label="Status", choices=[("", "Any"), *RunStatus.choices], required=False, initial="succeeded"
    )
    source = forms.ChoiceField(
        label="Came from", choices=[("", "Anywhere"), *RunSource.choices], required=False
    )
    feedback = forms.ChoiceField(label="Feedback", choices=FEEDBACK, required=False)
    error_code = forms.CharField(label="Error code", max_length=64, required=False)
    since = MomentField(label="From")
    until = MomentField(label="Until")
    order = forms.ChoiceField(label="Which of them", choices=ORDERS, initial="newest")
    limit = forms.IntegerField(
        label="Number of runs",
        min_value=1,
        max_value=MOST_RUNS,
        initial=DEFAULT_RUNS,
        help_text=f"Up to {MOST_RUNS:,}. Runs whose content is not kept give no row.",
    )
    expected = forms.ChoiceField(
        label="Expected value of a row",
        choices=EXPECTED,
        initial="answer",
        help_text="What answers are compared with.",
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        prompts = Prompt.objects.filter(project=project).order_by("name")[:MOST_PROMPTS]
        field = self.fields["prompt"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "Any prompt"), *((prompt.public_id, prompt.name) for prompt in prompts)]

    def source_of_rows(self) -> RunsSource:
        """What was chosen; call after `is_valid`."""
        data = self.cleaned_data
        filters = RunFilters(
            prompt_id=ids.decode_or_none(Prompt.PREFIX, data["prompt"]),
            version_number=data["version"],
            since=data["since"],
            until=data["until"],
            **{name: data[name] for name in ("label", "status", "source", "feedback", "error_code")},
        )
        return RunsSource(filters, limit=data["limit"], order=data["order"], expected=data["expected"])


class BatchRowsForm(forms.Form):
    """Rows of another batch by what came out of it."""

    batch = forms.ChoiceField(label="Batch")
    match = forms.ChoiceField(label="Rows that", choices=MATCHES, required=False, initial="differs")
    status = forms.ChoiceField(label="Status", choices=STATUSES, required=False)
    field = forms.CharField(
        label="Number field of the output", max_length=255, required=False, help_text="Such as confidence."
    )
    below = forms.FloatField(label="Below", required=False)
    score_below = forms.IntegerField(
        label="Feedback below", min_value=2, max_value=5, required=False, help_text="Scores go from 1 to 5."
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        jobs = BatchJob.objects.filter(project=project, total__gt=0, dataset_version__rows_deleted_at=None)
        found = jobs.order_by("-id").only("id", "name", "total")[:MOST_BATCHES]
        field = self.fields["batch"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(job.public_id, f"{job.name} ({job.total:,} rows)") for job in found]

    def source_of_rows(self) -> BatchSource:
        """What was chosen; call after `is_valid`."""
        data = self.cleaned_data
        choice = RowChoice(
            status=data["status"],
            match=data["match"],
            field=data["field"].strip(),
            below=data["below"],
            score_below=data["score_below"],
        )
        return BatchSource(ids.decode(BatchJob.PREFIX, data["batch"]), choice)


class KeepRowsForm(forms.Form):
    """A name for rows in the library."""

    name = forms.CharField(label="Dataset name", max_length=120)

"""The form of a new scale test."""

from typing import Any, Final

from django import forms

from apps.batches.models import LARGEST_CONCURRENCY
from apps.batches.scale_models import USUAL_STEPS
from apps.batches.services.scale_tests import DEFAULT_CONCURRENCY, ScaleTestOptions
from apps.batches.web.control_forms import cap_field, concurrency_field
from apps.batches.web.forms import Choices
from apps.batches.web.work_forms import reference_of
from apps.datasets import queries as dataset_queries
from apps.datasets.models import DatasetVersion
from apps.runs.types import PromptReference
from apps.tenants.models import Project

STEPS: Final = [(str(rows), f"{rows:,} rows") for rows in USUAL_STEPS]


class ScaleTestForm(forms.Form):
    """Prompt, rows, steps and limits."""

    prompt = forms.ChoiceField(label="Prompt and version")
    dataset = forms.ChoiceField(
        label="Dataset", help_text="Its rows are run again and again where a step has more."
    )
    model = forms.ChoiceField(label="Model", required=False)
    name = forms.CharField(
        label="Name", max_length=120, required=False, help_text="Empty: prompt, version and time."
    )
    steps = forms.TypedMultipleChoiceField(
        label="Steps",
        choices=STEPS,
        coerce=int,
        initial=[str(rows) for rows in USUAL_STEPS[:3]],
        widget=forms.CheckboxSelectMultiple,
        help_text="One batch after the other, the smallest first.",
        error_messages={"required": "Choose at least one step."},
    )
    cost_cap = cap_field("For all steps together; a model that costs money needs one.")
    concurrency = concurrency_field()

    def __init__(self, *args: Any, choices: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["concurrency"].initial = min(DEFAULT_CONCURRENCY, LARGEST_CONCURRENCY)
        for name, offered in (
            ("prompt", choices.prompts),
            ("dataset", choices.datasets),
            ("model", choices.models),
        ):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = offered

    def prompt_reference(self) -> PromptReference:
        """The chosen prompt; call after `is_valid`."""
        return reference_of(self.cleaned_data["prompt"])

    def dataset_version(self, project: Project) -> DatasetVersion:
        """The chosen dataset version; call after `is_valid`."""
        return dataset_queries.get_version(project, self.cleaned_data["dataset"])

    def options(self) -> ScaleTestOptions:
        """What runs; call after `is_valid`."""
        data = self.cleaned_data
        return ScaleTestOptions(
            name=data["name"],
            model=data["model"],
            steps=tuple(sorted(data["steps"])),
            concurrency=data["concurrency"],
            cost_cap=data["cost_cap"],
        )

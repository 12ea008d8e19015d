"""The form of a new batch."""

from dataclasses import dataclass
from typing import Any, Final

from django import forms

from apps.batches.services.starting import BatchOptions
from apps.batches.web.control_forms import ControlFields
from apps.batches.web.work_forms import WorkFields, reference_of
from apps.core.errors import NotFound
from apps.core.models import find
from apps.datasets import queries as dataset_queries
from apps.datasets.models import DatasetVersion, Origin
from apps.prompts import queries as prompt_queries
from apps.prompts.models import Prompt
from apps.providers import queries as provider_queries
from apps.providers.batches import offers_batches
from apps.runs.types import PromptReference
from apps.tenants.models import Project

MOST_PROMPTS: Final = 200
MOST_VERSIONS: Final = 10


@dataclass(frozen=True, slots=True)
class Choices:
    """What a project offers to a new batch."""

    prompts: list[tuple[str, list[tuple[str, str]]]]
    datasets: list[tuple[str, str]]
    models: list[tuple[str, str]]
    provider_batches: bool = False


def choices_of(project: Project, dataset: str = "") -> Choices:
    """The project's prompts with labels and newest versions, the datasets, the models."""
    prompts = list(Prompt.objects.filter(project=project).order_by("name")[:MOST_PROMPTS])
    labels = prompt_queries.labels_of(prompts)
    versions = list(dataset_queries.project_versions(project))
    if dataset and dataset not in {version.public_id for version in versions}:
        versions += _older_version(project, dataset)
    connections = provider_queries.effective_credentials(project.id)
    offered = provider_queries.choices_from(connections)
    models = [(model.reference, _model_words(model)) for model in offered]
    return Choices(
        prompts=[(prompt.name, _references(prompt, labels[prompt.pk])) for prompt in prompts],
        datasets=[(version.public_id, _dataset_words(version)) for version in versions],
        models=[("", "The version's own model"), *models],
        provider_batches=any(offers_batches(each) for each in connections),
    )


def _references(prompt: Prompt, labels: dict[str, int]) -> list[tuple[str, str]]:
    by_label = [
        (f"{prompt.public_id}:label:{label}", f"{prompt.name}, {label} (v{number})")
        for label, number in labels.items()
    ]
    newest = range(prompt.latest_number, max(0, prompt.latest_number - MOST_VERSIONS), -1)
    by_number = [(f"{prompt.public_id}:number:{number}", f"{prompt.name}, v{number}") for number in newest]
    return by_label + by_number


def _older_version(project: Project, public_id: str) -> list[DatasetVersion]:
    """One that the address names: not the latest, or rows that were taken for this batch."""
    try:
        return [dataset_queries.get_version(project, public_id)]
    except NotFound:
        return []


def _dataset_words(version: DatasetVersion) -> str:
    if version.dataset.origin != Origin.LIBRARY:
        return f"{version.dataset.name} ({version.row_count:,} rows, for a batch)"
    return f"{version.dataset.name}, v{version.number} ({version.row_count:,} rows)"


def _model_words(model: Any) -> str:
    return f"{model.reference} (sandbox, no key needed)" if model.sandbox else model.reference


class NewBatchForm(WorkFields, ControlFields):
    """Prompt, rows and limits of a new batch."""

    prompt = forms.ChoiceField(label="Prompt and version")
    dataset = forms.ChoiceField(label="Dataset")
    model = forms.ChoiceField(label="Model", required=False)
    name = forms.CharField(
        label="Name", max_length=120, required=False, help_text="Empty: prompt, version and time."
    )

    def __init__(self, *args: Any, choices: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, offered in (
            ("prompt", choices.prompts),
            ("dataset", choices.datasets),
            ("model", choices.models),
            ("rerun_model", [("", "The same model"), *choices.models[1:]]),
            ("also_prompts", choices.prompts),
            ("also_models", choices.models[1:]),
            ("reduce_prompt", [("", "None"), *choices.prompts]),
        ):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = offered
        if not choices.provider_batches:
            del self.fields["delivery"]

    def opened(self) -> dict[str, bool]:
        """Which folded parts of the page hold something that was filled in or is wrong."""
        return super().opened() | self.work_opened()

    def prompt_reference(self) -> PromptReference:
        """The chosen prompt; call after `is_valid`."""
        return reference_of(self.cleaned_data["prompt"])

    def dataset_version(self, project: Project) -> DatasetVersion:
        """The chosen dataset version; call after `is_valid`."""
        return dataset_queries.get_version(project, self.cleaned_data["dataset"])

    def options(self) -> BatchOptions:
        """How the batch runs; call after `is_valid`."""
        data = self.cleaned_data
        return BatchOptions(
            name=data["name"],
            model=data["model"],
            variants=self.variants(),
            work=self.work(),
            **self.control_options(),
        )


def initial_values(project: Project, parameters: dict[str, str]) -> dict[str, str]:
    """What the address asks for: `?prompt=prm_…&version=3&dataset=dsv_…`."""
    prompt, version = parameters.get("prompt", ""), parameters.get("version", "")
    reference = f"{prompt}:number:{version}" if version.isdigit() else ""
    if prompt and not reference:
        reference = _default_reference(project, prompt)
    return {"prompt": reference, "dataset": parameters.get("dataset", "")}


def _default_reference(project: Project, public_id: str) -> str:
    prompt = find(Prompt.objects.filter(project=project), public_id)
    return f"{public_id}:number:{prompt.latest_number}" if prompt else ""

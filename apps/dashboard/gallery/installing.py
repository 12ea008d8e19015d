"""Making an example's prompt and dataset in a project, both or none."""

from dataclasses import dataclass, replace
from typing import Final

from django.db import transaction

from apps.audit.actor import Actor
from apps.core.errors import Conflict
from apps.dashboard.gallery.example import Example
from apps.datasets import queries as dataset_queries
from apps.datasets.mapping import RowValues
from apps.datasets.models import Dataset, DatasetVersion
from apps.datasets.services import create_version
from apps.prompts.models import Prompt
from apps.prompts.names import clean_prompt_name
from apps.prompts.services import create_prompt
from apps.prompts.services.properties import set_tags
from apps.providers.queries import default_model
from apps.tenants.models import Project

EXAMPLE_TAG: Final = "example"
NOTE: Final = "From the gallery"


@dataclass(frozen=True, slots=True)
class Installed:
    """What an installation made."""

    prompt: Prompt
    dataset_version: DatasetVersion


@dataclass(frozen=True, slots=True)
class Taken:
    """What stands already under the names that an installation would use."""

    prompt: Prompt | None
    dataset: Dataset | None


def what_exists(project: Project, *, name: str, dataset: str) -> Taken:
    """The prompt and the dataset of these names, if there are any. Needs the organization's scope."""
    return Taken(
        prompt=Prompt.objects.filter(project=project, name=name.strip()).first(),
        dataset=dataset_queries.library(project).filter(name=dataset.strip()).first(),
    )


def install_example(
    *, actor: Actor, project: Project, example: Example, name: str = "", dataset: str = ""
) -> Installed:
    """Make the example's prompt, tagged as an example, and the dataset with its test rows.

    Empty names are the example's own. Needs the organization's scope; one transaction, so either both are
    there or neither. Raises Conflict ``prompt_name_taken`` or ``dataset_name_taken``, InvalidRequest for a
    name that is not allowed.
    """
    prompt_name, dataset_name = clean_prompt_name(name or example.name), dataset.strip() or example.dataset
    if what_exists(project, name=prompt_name, dataset=dataset_name).dataset is not None:
        message = f"There is a dataset '{dataset_name}' in this project already."
        raise Conflict(message, code="dataset_name_taken", param="dataset")
    with transaction.atomic():
        prompt = create_prompt(
            actor=actor,
            project=project,
            name=prompt_name,
            kind="chat",
            description=example.description,
            content=replace(example.content, model=default_model(project.pk)),
            message=NOTE,
        )
        set_tags(actor=actor, prompt=prompt, tags=[EXAMPLE_TAG])
        version = create_version(
            actor=actor,
            project=project,
            dataset_name=dataset_name,
            rows=[RowValues(row.variables, row.expected, {}) for row in example.rows],
            note=NOTE,
        )
    return Installed(prompt, version)

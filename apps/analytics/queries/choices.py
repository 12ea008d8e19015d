"""What the filters of a page offer: what the project's runs were called with. Inside the scope."""

from typing import Final

from django.contrib.postgres.aggregates import ArrayAgg

from apps.analytics.models import Segment
from apps.analytics.queries.names import groups_of
from apps.analytics.queries.shapes import Group
from apps.tenants.models import Project

MOST_CHOICES: Final = 200
# A version is one of a prompt: it is chosen by a click on it, not among the versions of all prompts.
CHOICES: Final = {
    "prompt": "prompt_id",
    "label": "label",
    "model": "model",
    "key": "api_key_id",
    "source": "source",
}


def filter_choices(project: Project, *, sandbox: bool) -> dict[str, list[Group]]:
    """By dimension the values that occur, in the order of their names; three statements."""
    found = Segment.objects.filter(project_id=project.id, sandbox=sandbox).aggregate(
        **{key: ArrayAgg(column, distinct=True) for key, column in CHOICES.items()}
    )
    return {key: _named(key, found[key] or []) for key in CHOICES}


def _named(dimension: str, values: list[object]) -> list[Group]:
    keys = ["" if each is None else str(each) for each in values][:MOST_CHOICES]
    groups = groups_of(dimension, keys).values()
    return sorted(groups, key=lambda group: (group.kind == "none", group.name))

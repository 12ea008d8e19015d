"""What is shown in place of ids: names as they are now, one query a dimension."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from apps.analytics.dimensions import DIMENSIONS, NONE
from apps.analytics.queries.shapes import Group
from apps.core import ids
from apps.prompts.models import Prompt, PromptVersion
from apps.runs.models import RunSource
from apps.tenants.models import APIKey

DELETED: Final = {"prompt": "A deleted prompt", "version": "A deleted version", "key": "A deleted key"}
_PREFIXES: Final = {"prompt": Prompt.PREFIX, "version": PromptVersion.PREFIX, "key": APIKey.PREFIX}


def groups_of(dimension: str, keys: Iterable[str]) -> dict[str, Group]:
    """The group of each key, as roll-ups hold it ('' is none), in the order given. Needs the scope."""
    wanted = list(keys)
    if dimension in _PREFIXES:
        names = _loaded(dimension, [UUID(key) for key in wanted if key])
        return {key: _identified(dimension, key, names) for key in wanted}
    words = dict(RunSource.choices) if dimension == "source" else {}
    return {
        key: Group("value", key, str(words.get(key, key))) if key else none_of(dimension) for key in wanted
    }


def none_of(dimension: str) -> Group:
    """The runs that have no value in a dimension."""
    return Group("none", NONE, DIMENSIONS[dimension].nothing)


def _identified(dimension: str, key: str, names: dict[UUID, str]) -> Group:
    if not key:
        return none_of(dimension)
    found = UUID(key)
    name = names.get(found, DELETED[dimension])
    return Group("value", ids.encode(_PREFIXES[dimension], found), name)


def _loaded(dimension: str, keys: list[UUID]) -> dict[UUID, str]:
    if not keys:
        return {}
    if dimension == "prompt":
        return dict(Prompt.objects.filter(pk__in=keys).values_list("pk", "name"))
    if dimension == "key":
        return dict(APIKey.objects.filter(pk__in=keys).values_list("pk", "name"))
    versions = PromptVersion.objects.filter(pk__in=keys).values_list("pk", "prompt__name", "number")
    return {version_id: f"{name} v{number}" for version_id, name, number in versions}

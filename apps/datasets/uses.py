"""Who uses a dataset: a port, so that datasets needn't know the rooms that do."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string


@dataclass(frozen=True, slots=True)
class Use:
    """Something that reads a dataset: what it is ("batch"), its public id, its name, its page's view name."""

    kind: str
    public_id: str
    name: str
    view: str
    version_number: int


Counter = Callable[[Iterable[UUID]], Mapping[UUID, int]]
Lister = Callable[[UUID, int], list[Use]]


def count_uses(dataset_ids: Iterable[UUID]) -> dict[UUID, int]:
    """How many things use each dataset. Call it inside the organization's scope; one query a user."""
    wanted = list(dataset_ids)
    totals = dict.fromkeys(wanted, 0)
    for counter, _ in settings.DATASET_USES:
        for dataset_id, count in cast(Counter, import_string(counter))(wanted).items():
            totals[dataset_id] += count
    return totals


def list_uses(dataset_id: UUID, limit: int = 50) -> list[Use]:
    """What uses a dataset, newest first of each kind."""
    found: list[Use] = []
    for _, lister in settings.DATASET_USES:
        found.extend(cast(Lister, import_string(lister))(dataset_id, limit))
    return found

"""The list of datasets: its columns, filters and file."""

from dataclasses import dataclass
from typing import Any, Final

from django.db.models.functions import Lower

from apps.core.tables import Column, Filter, Table, register
from apps.datasets.models import Dataset
from apps.datasets.uses import count_uses


@dataclass(frozen=True, slots=True)
class DatasetItem:
    """A dataset of `queries.list_datasets` and how many things use it."""

    dataset: Any
    uses: int


def _items(datasets: list[Dataset]) -> list[DatasetItem]:
    uses = count_uses([dataset.pk for dataset in datasets])
    return [DatasetItem(dataset, uses[dataset.pk]) for dataset in datasets]


DATASETS: Final = register(
    Table[Dataset, DatasetItem](
        key="datasets",
        prefix=Dataset.PREFIX,
        noun=("dataset", "datasets"),
        search="Search datasets",
        default_sort="-created",
        prepare=_items,
        filters=(Filter("state", "State", [("archived", "Archived")]),),
        columns=(
            Column("id", "Id", lambda item: item.dataset.public_id, export_only=True),
            Column("name", "Name", lambda item: item.dataset.name, sort=Lower("name"), always=True),
            Column("version", "Version", lambda item: item.dataset.latest_number, numeric=True),
            Column(
                "rows",
                "Rows",
                lambda item: item.dataset.latest_row_count,
                sort="latest_row_count",
                numeric=True,
                nullable=True,
                downwards=True,
            ),
            Column("columns", "Columns", lambda item: item.dataset.latest_column_count, numeric=True),
            Column(
                "size",
                "Size",
                lambda item: item.dataset.latest_byte_count,
                sort="latest_byte_count",
                numeric=True,
                nullable=True,
                downwards=True,
            ),
            Column("uses", "Used by", lambda item: item.uses),
            Column(
                "changed",
                "Last change",
                lambda item: item.dataset.latest_at,
                sort="latest_at",
                nullable=True,
                downwards=True,
            ),
            Column(
                "created",
                "Created",
                lambda item: item.dataset.created_at,
                sort="id",
                downwards=True,
                default=False,
            ),
        ),
    )
)

"""The list of scale tests: its columns, filters and file."""

from dataclasses import dataclass
from typing import Final

from django.db.models.functions import Lower

from apps.batches.scale_models import ScaleTest, ScaleTestStatus, ScaleTestStep
from apps.core.tables import Column, Filter, Table, register


@dataclass(frozen=True, slots=True)
class ScaleTestRow:
    """A scale test with its steps."""

    test: ScaleTest
    steps: list[ScaleTestStep]

    @property
    def words(self) -> str:
        """The steps' numbers of rows."""
        return ", ".join(f"{step.rows:,}" for step in self.steps)

    @property
    def best(self) -> float | None:
        """The highest rate of all steps, rows a second."""
        return max((step.rows_per_second for step in self.steps if step.rows_per_second), default=None)


def _rows(tests: list[ScaleTest]) -> list[ScaleTestRow]:
    return [ScaleTestRow(test, list(test.steps.all())) for test in tests]


SCALE_TESTS: Final = register(
    Table[ScaleTest, ScaleTestRow](
        key="scale_tests",
        prefix=ScaleTest.PREFIX,
        noun=("scale test", "scale tests"),
        search="Search scale tests",
        default_sort="-started",
        prepare=_rows,
        filters=(Filter("status", "Status", ScaleTestStatus.choices),),
        columns=(
            Column("id", "Id", lambda row: row.test.public_id, export_only=True),
            Column("name", "Name", lambda row: row.test.name, sort=Lower("name"), always=True),
            Column("status", "Status", lambda row: row.test.status),
            Column("prompt", "Prompt", lambda row: row.test.prompt_name, sort="prompt_name"),
            Column("version", "Version", lambda row: row.test.version_number, export_only=True),
            Column("model", "Model", lambda row: row.test.model, sort="model"),
            Column("steps", "Steps", lambda row: row.words),
            Column("best", "Best rate", lambda row: row.best, numeric=True),
            Column("started_by", "Started by", lambda row: row.test.started_by_name, default=False),
            Column("started", "Started", lambda row: row.test.created_at, sort="id", downwards=True),
        ),
    )
)

"""Which dataset row and which variant a job's number stands for.

The variants of one row lie side by side, and the rows may be gone through more than once::

    variants 2, dataset rows 3, total 12:   number  1  2  3  4  5  6  7  8  9 10 11 12
                                            row     1  1  2  2  3  3  1  1  2  2  3  3
                                            variant 0  1  0  1  0  1  0  1  0  1  0  1
"""

from dataclasses import dataclass

from django.db.models import ExpressionWrapper, F, IntegerField, Value
from django.db.models.expressions import Combinable

from apps.batches.models import BatchJob


@dataclass(frozen=True, slots=True)
class Place:
    """A dataset row's number from 1, and a variant's position from 0."""

    row: int
    variant: int


def place(number: int, *, variants: int, rows: int) -> Place:
    """What the job's row `number`, from 1, stands for."""
    source, variant = divmod(number - 1, variants)
    return Place(source % rows + 1, variant)


def row_of(job: BatchJob) -> Combinable:
    """The dataset row of an item as a database expression; integers divide downwards there too."""
    source = (F("number") - Value(1)) / Value(job.variant_count)
    return ExpressionWrapper(source % Value(rows_used(job)) + Value(1), output_field=IntegerField())


def rows_used(job: BatchJob) -> int:
    """How many rows of the dataset version a job goes through."""
    return job.source_rows or job.total

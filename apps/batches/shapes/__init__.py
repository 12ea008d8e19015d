"""How the rows of a job become calls."""

from apps.batches.claims import JobFacts
from apps.batches.shapes.rows import Rows
from apps.batches.shapes.types import Execute, Shape

__all__ = ["Execute", "Rows", "Shape", "shape_of"]


def shape_of(job: JobFacts) -> Shape:
    """What carries a job's rows out, by its `work`."""
    return Rows(job)

"""How the rows of a job become calls."""

from typing import Final

from apps.batches.claims import JobFacts
from apps.batches.shapes.chunked import Chunked
from apps.batches.shapes.multi_row import MultiRow
from apps.batches.shapes.requests import Requests
from apps.batches.shapes.rows import Rows
from apps.batches.shapes.types import Hands, Shape
from apps.batches.work import ChunkedWork, MultiRowWork, parse_work

__all__ = ["Chunked", "Hands", "MultiRow", "Requests", "Rows", "Shape", "shape_of"]

REQUESTS: Final = "requests"
"""The kind of a job over an OpenAI batch file; nobody else may ask for it."""


def shape_of(job: JobFacts) -> Shape:
    """What carries a job's rows out, by its `work`."""
    if job.work.get("kind") == REQUESTS:
        return Requests(job)
    work = parse_work(job.work)
    if isinstance(work, MultiRowWork):
        return MultiRow(job, work)
    if isinstance(work, ChunkedWork):
        return Chunked(job, work)
    return Rows(job)

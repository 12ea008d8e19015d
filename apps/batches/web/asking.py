"""What an address asks of a batch's results. What it can't mean is left out: addresses get old."""

from typing import Final

from django.http import HttpRequest

from apps.batches.models import BatchJob, ItemStatus
from apps.batches.results.selecting import ResultFilters
from apps.core.numbers import whole_number

ROW_STATUSES: Final = [("", "All rows"), *ItemStatus.choices]
MATCHES: Final = [("", "Any match"), ("match", "Match"), ("differs", "Differs from expected")]
PLACES: Final = ("after", "before", "skip", "open")
"""Parameters that say where in a list one is; the others say what is in it."""


def filters_of(request: HttpRequest, job: BatchJob) -> ResultFilters:
    """What the results are narrowed to; variants count from 1 in addresses."""
    variant = number_of(request, "variant")
    return ResultFilters(
        status=one_of(request, "status", dict(ROW_STATUSES)),
        match=one_of(request, "match", dict(MATCHES)),
        search=request.GET.get("q", "").strip().replace("\0", "")[:200],
        code=request.GET.get("code", "").replace("\0", "")[:64],
        variant=variant - 1 if job.variant_count > 1 and 1 <= variant <= job.variant_count else None,
    )


def one_of(request: HttpRequest, name: str, choices: dict[str, str]) -> str:
    """A parameter that is one of a few words, else ""."""
    value = request.GET.get(name, "")
    return value if value in choices else ""


def number_of(request: HttpRequest, name: str) -> int:
    """A parameter that is a whole number, else 0."""
    return whole_number(request.GET.get(name, "")) or 0


def query_without(request: HttpRequest, *names: str) -> str:
    """The address's parameters but these, to stand before one more."""
    kept = request.GET.copy()
    for name in names:
        kept.pop(name, None)
    return f"{kept.urlencode()}&" if kept else ""


def page_link(request: HttpRequest, name: str, number: int | None) -> str:
    """The address of a neighbouring page; "" where there is none."""
    return "" if number is None else f"?{query_without(request, *PLACES)}{name}={number}"

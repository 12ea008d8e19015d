"""What chaos scripts hold at the end: clients' words against the database, and the lines they print."""

from collections import Counter
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Check:
    """A figure in words, and whether it is as it must be."""

    words: str
    figure: float
    holds: bool


def tell(*checks: Check) -> int:
    """Print a line for each; 1 when one does not hold."""
    failed = [line(check.words, _written(check.figure), check.holds) for check in checks]
    return 1 if any(failed) else 0


def line(words: str, figure: object, holds: bool) -> bool:
    """Print one line of a report; whether it fails."""
    print(f"{'ok' if holds else 'FAILED':7} {words}: {figure}")
    return not holds


def _written(figure: float) -> str:
    return f"{figure:,.2f}" if figure % 1 else f"{figure:,.0f}"


def missing(acknowledged: list[str]) -> tuple[int, int, int]:
    """How many of these runs (public ids) have no row, how many no usage event, how many two or more."""
    from apps.billing.models import UsageEvent  # noqa: PLC0415 - needs the settings
    from apps.core import ids  # noqa: PLC0415
    from apps.core.scope import system_scope  # noqa: PLC0415
    from apps.runs.models import Run  # noqa: PLC0415

    wanted = {ids.decode("run", public) for public in acknowledged}
    with system_scope():
        runs = set(Run.all_organizations.values_list("pk", flat=True))
        charged: Counter[Any] = Counter(UsageEvent.all_organizations.values_list("source_id", flat=True))
    return len(wanted - runs), len(wanted - charged.keys()), sum(count > 1 for count in charged.values())

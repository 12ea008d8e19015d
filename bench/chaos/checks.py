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
    for check in checks:
        figure = f"{check.figure:,.2f}" if check.figure % 1 else f"{check.figure:,.0f}"
        print(f"{'ok' if check.holds else 'FAILED':7} {check.words}: {figure}")
    return 0 if all(check.holds for check in checks) else 1


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

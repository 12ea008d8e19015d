"""Alert rules at a million runs over 30 days: `python -m bench.alerts [runs]`.

"Would have fired n times last week" is asked for as the rule builder does, by rules of every reach, and must
say at any moment what the job would have said at that moment. Then the job looks at 500 rules at once.
"""

import random
import statistics
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from bench.lists import ROUNDS, processor_ms
from bench.own_database import own_database

# What the rule builder may take to answer beside the form, which does not wait for it.
LIMIT_MS: Final = 1_000.0
RULES: Final = 500
MOMENTS: Final = 20
SPECS: Final = (
    ("error rate over 5 minutes", {"metric": "error_rate", "value": "0.05", "window_minutes": 5}),
    ("error rate over 1 hour", {"metric": "error_rate", "value": "0.05"}),
    ("p95 over 1 hour", {"metric": "latency_p95", "value": "3000"}),
    ("p95 over 12 hours", {"metric": "latency_p95", "value": "3000", "window_minutes": 720}),
    ("cost over 7 days", {"metric": "cost", "value": "50", "window_minutes": 10_080}),
    ("cost against the week before", {"metric": "cost", "value": "30", "compared_with": "week"}),
)


def main() -> int:
    """Fill, measure, print; 1 when something is over its limit or differs."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with own_database():
        from bench.history import make_cast, roll_up, write_history  # noqa: PLC0415 - needs the settings
        from tests.factories import make_project  # noqa: PLC0415

        project = make_project()
        write_history(make_cast(project), rows=rows)
        roll_up()
        verdicts = [_replay(project, words, values) for words, values in SPECS]
        verdicts.append(_watch(project))
        return int(not all(verdicts))


def _spec(values: dict[str, Any]) -> Any:
    from apps.analytics.alerts.models import AlertKind  # noqa: PLC0415 - needs the settings
    from apps.analytics.alerts.spec import RuleSpec, checked  # noqa: PLC0415

    kind = AlertKind.CHANGE if "compared_with" in values else AlertKind.THRESHOLD
    return checked(RuleSpec(kind, minimum_sample=5, **{**values, "value": Decimal(values["value"])}))


def _replay(project: Any, words: str, values: dict[str, Any]) -> bool:
    """The past week of one rule: how long it takes, and whether single looks see the same."""
    from apps.analytics.alerts.observing import observe  # noqa: PLC0415 - needs the settings
    from apps.analytics.alerts.replaying import would_have_fired  # noqa: PLC0415
    from apps.core.scope import organization_scope  # noqa: PLC0415

    spec, now = _spec(values), datetime.now(UTC)
    times, used = [], []
    with organization_scope(project.organization_id):
        for _ in range(ROUNDS):
            began, busy = time.perf_counter(), processor_ms()
            found = would_have_fired(project, spec, now)
            times.append((time.perf_counter() - began) * 1000)
            used.append(processor_ms() - busy)
        chosen = random.Random(7).sample(found.observations, MOMENTS)
        same = all(observe(project.pk, spec, [each.at], now) == [each] for each in chosen)
    median = statistics.median(times)
    good = same and median <= LIMIT_MS
    words_of = "say the same" if same else "DIFFER"
    print(
        f"{words:<34}{len(found.observations):>6,} looks{found.replay.alerts:>5} alerts{median:>9,.1f} ms"
        f"{statistics.median(used):>7,.0f} ms busy  {MOMENTS} single looks {words_of}"
        f"  {'ok' if good else 'FAILED'}",
        flush=True,
    )
    return good


def _watch(project: Any) -> bool:
    """One turn of the job over many rules that are all due."""
    from apps.analytics.alerts.watching import look_at_due_rules  # noqa: PLC0415 - needs the settings
    from tests.factories import make_alert_rule  # noqa: PLC0415

    for number in range(RULES):
        metric = ("error_rate", "latency_p95", "requests")[number % 3]
        make_alert_rule(project=project, metric=metric, value=10**6, window_minutes=(5, 60, 720)[number % 3])
    began, busy = time.perf_counter(), processor_ms()
    looked = look_at_due_rules(datetime.now(UTC) + timedelta(seconds=1))
    seconds = time.perf_counter() - began
    good = looked == RULES and seconds < 45
    print(
        f"{looked} rules looked at in {seconds:.1f} s: {seconds / RULES * 1000:.1f} ms each"
        f" ({(processor_ms() - busy) / RULES:.1f} ms busy)  {'ok' if good else 'FAILED'}"
    )
    return good


if __name__ == "__main__":
    sys.exit(main())

"""Runs of every kind, written as the recorder writes them, and what they add up to, counted one by one."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import connection

from apps.analytics.models import Grain, Segment
from apps.analytics.periods import floor
from apps.core import crypto
from apps.core.scope import organization_scope
from apps.prompts.models import Prompt
from apps.prompts.queries import get_version
from apps.prompts.types import ResolvedPrompt
from apps.providers.pricing import Price
from apps.providers.types import Usage
from apps.runs import record_rows
from apps.runs.feedback import Giver
from apps.runs.models import Feedback, Run
from apps.runs.services import give_feedback
from apps.runs.types import RunError, RunRecord
from apps.tenants.models import Project
from tests.factories import make_rollup, make_run_record

CODES = ("provider_timeout", "output_invalid", "provider_rate_limited")
PRICES = (
    Price("priced", Decimal("0.0123")),
    Price("priced", Decimal("0.0000042")),
    Price("free", Decimal(0)),
    Price("unknown", None),
)


def write_runs(project: Project, records: Iterable[RunRecord]) -> list[UUID]:
    """Write records in one statement; their ids."""
    with organization_scope(project.organization_id), connection.cursor() as cursor:
        key = crypto.data_key(project.organization_id)
        rows = sorted((record_rows.seal(each, key) for each in records), key=lambda row: row.run_id)
        cursor.execute(record_rows.STATEMENT, record_rows.parameters(rows))
    return [row.run_id for row in rows]


def roll_up(segment: Segment, moment: datetime, **values: Any) -> None:
    """Numbers of a moment, in every grain."""
    for grain in Grain:
        make_rollup(segment=segment, grain=grain, starts_at=floor(moment, grain), **values)


def write_history(
    project: Project, prompts: Sequence[Prompt], keys: Sequence[UUID], now: datetime, count: int
) -> None:
    """Runs of every kind over the last ten days, some of them with feedback."""
    chance = random.Random(11)
    with organization_scope(project.organization_id):
        resolved = [_resolved(prompt, number) for prompt in prompts for number in (1, 2)]
    written = write_runs(project, islice(_records(project, resolved, keys, now, chance), count))
    with organization_scope(project.organization_id):
        for run in Run.objects.filter(pk__in=chance.sample(written, count // 4)):
            give_feedback(giver=Giver("told:1", "1"), run=run, score=chance.randint(1, 5))


def _resolved(prompt: Prompt, number: int) -> ResolvedPrompt:
    return ResolvedPrompt(
        prompt_id=prompt.pk,
        name=prompt.name,
        version_id=get_version(prompt, number).pk,
        number=number,
        label=None,
        kind=prompt.kind,
        messages=(),
        variables=(),
        model="",
        parameters={},
        output_schema=None,
    )


def _records(
    project: Project,
    resolved: Sequence[ResolvedPrompt],
    keys: Sequence[UUID],
    now: datetime,
    chance: random.Random,
) -> Iterable[RunRecord]:
    while True:
        prompt = chance.choice([*resolved, None])
        record = make_run_record(
            project=project,
            at=now - timedelta(seconds=chance.randint(0, 10 * 86_400)),
            prompt=prompt,
            label=chance.choice(("production", "staging", None)) if prompt else None,
            model=chance.choice(("openai/gpt-5-mini", "local/echo", "sandbox/standard")),
            source=chance.choice(("gateway", "batch")),
            api_key_id=chance.choice([*keys, None]),
            cached_from=UUID(int=1) if chance.random() < 0.1 else None,
        )
        overrides = ("variable:tone",) if prompt and chance.random() < 0.4 else ()
        yield replace(record, result=_result(record, chance), overrides=overrides)


def _result(record: RunRecord, chance: random.Random) -> Any:
    usage = Usage(chance.randint(1, 900), chance.randint(1, 300), chance.randint(0, 9))
    changes: dict[str, Any] = {
        "usage": chance.choice((usage, usage, usage, Usage(None, 5, None))),
        "latency_ms": chance.randint(1, 40_000),
        "price": record.result.price if record.result.sandbox else chance.choice((*PRICES, None)),
    }
    if chance.random() < 0.3:
        changes |= {"status": "failed", "error": RunError(chance.choice(CODES), "provider_error", "Oh.", 500)}
    elif chance.random() < 0.1:
        changes |= {
            "status": "cancelled",
            "error": RunError("cancelled", "invalid_request_error", "No.", 499),
        }
    return replace(record.result, **changes)


@dataclass(frozen=True)
class Counted:
    """Runs with their feedback, to be counted one by one."""

    runs: list[Run]
    scores: dict[UUID, list[int]]

    def where(self, wanted: Callable[[Run], bool]) -> "Counted":
        """Only some of the runs."""
        return Counted([run for run in self.runs if wanted(run)], self.scores)

    def metric(self, key: str) -> Any:
        """A metric as its words say it."""
        value: Any = getattr(self, key)() if hasattr(self, key) else self._counts()[key]
        return value

    def _counts(self) -> dict[str, int]:
        failed = [run for run in self.runs if run.status == "failed"]
        return {
            "requests": len(self.runs),
            "errors": len(failed),
            "cancelled": sum(run.status == "cancelled" for run in self.runs),
            "unknown_tokens": sum(
                run.usage_origin != "none" and None in (run.input_tokens, run.output_tokens)
                for run in self.runs
            ),
            "unknown_price": sum(run.price_status == "unknown" for run in self.runs),
            "free": sum(run.price_status == "free" for run in self.runs),
            "priced": sum(run.price_status in ("priced", "sandbox") for run in self.runs),
            "cache_hits": sum(run.cached_from is not None for run in self.runs),
            "schema_failures": sum(run.error_code == "output_invalid" for run in failed),
            "feedback_count": len(self._scores()),
        }

    def _scores(self) -> list[int]:
        return [score for run in self.runs for score in self.scores.get(run.pk, [])]

    def _share(self, part: str, whole: str = "requests") -> float | None:
        counts = self._counts()
        return counts[part] / counts[whole] if counts[whole] else None

    def error_rate(self) -> float | None:
        return self._share("errors")

    def cache_hit_rate(self) -> float | None:
        return self._share("cache_hits")

    def schema_failure_rate(self) -> float | None:
        return self._share("schema_failures")

    def satisfaction(self) -> float | None:
        scores = self._scores()
        return sum(scores) / len(scores) if scores else None

    def _tokens(self, *names: str) -> int | None:
        if self._counts()["unknown_tokens"] == len(self.runs):
            return None
        return sum(getattr(run, name) or 0 for run in self.runs for name in names)

    def input_tokens(self) -> int | None:
        return self._tokens("input_tokens")

    def output_tokens(self) -> int | None:
        return self._tokens("output_tokens")

    def cached_tokens(self) -> int | None:
        return self._tokens("cached_tokens")

    def total_tokens(self) -> int | None:
        return self._tokens("input_tokens", "output_tokens")

    def _amounts(self) -> list[Decimal]:
        known = ("priced", "free", "sandbox")
        return [run.price_amount or Decimal(0) for run in self.runs if run.price_status in known]

    def cost(self) -> Decimal | None:
        unknown = self._counts()["unknown_price"] > 0 and not self._amounts()
        return None if unknown or not self.runs else sum(self._amounts(), Decimal(0))

    def cost_per_request(self) -> Decimal | None:
        amounts = self._amounts()
        return round(sum(amounts, Decimal(0)) / len(amounts), 10) if amounts else None

    def _latencies(self) -> list[int]:
        return sorted(
            run.latency_ms for run in self.runs if run.status == "succeeded" and run.cached_from is None
        )

    def _percentile(self, share: float) -> int | None:
        values = self._latencies()
        return values[-int(-share * len(values) // 1) - 1] if values else None

    def latency_p50(self) -> int | None:
        return self._percentile(0.5)

    def latency_p95(self) -> int | None:
        return self._percentile(0.95)

    def latency_p99(self) -> int | None:
        return self._percentile(0.99)

    def latency_mean(self) -> float | None:
        values = self._latencies()
        return sum(values) / len(values) if values else None


def all_runs() -> Counted:
    """Every run of the open scope's organization, with its scores."""
    scores: dict[UUID, list[int]] = {}
    for run_id, score in Feedback.objects.exclude(score=None).values_list("run_id", "score"):
        scores.setdefault(run_id, []).append(score or 0)
    return Counted(list(Run.objects.all()), scores)

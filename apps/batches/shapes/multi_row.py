"""Several rows in one call; the answer's list is matched back to the rows by their ids.

A row that the answer leaves out, and every row of a call that failed, is put back and runs by itself the next
time: a row that was tried before never shares a call again, so one bad row can't keep its neighbours back.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import groupby
from typing import Any, Final

import orjson

from apps.batches.claims import Claim, JobFacts
from apps.batches.completion import Call, Outcome, outcome
from apps.batches.shapes.rows import request_for
from apps.batches.shapes.types import Hands
from apps.batches.work import MultiRowWork
from apps.core.errors import PromptsaasError, QuotaExceeded
from apps.core.ids import uuid7
from apps.core.json_bodies import is_too_deep
from apps.providers import tokens
from apps.runs.types import RunRecord, RunRequest, RunResult

ID: Final = "id"
VALUE: Final = "output"
"""An answer's only field beside its id is the row's output itself if it has this name."""
LEAST_COST: Final = Decimal("1e-10")
_FENCE: Final = re.compile(r"^\s*```[a-z]*\s*(.*?)\s*```\s*$", re.DOTALL)

UNMATCHED: Final = ("answer_unmatched", "The answer has no entry with this row's id.")


@dataclass(frozen=True, slots=True)
class MultiRow:
    """Rows that share calls."""

    job: JobFacts
    told: MultiRowWork

    def group(self, claims: Sequence[Claim]) -> list[tuple[Claim, ...]]:
        """Rows of one variant, in their order, up to the limits of rows and tokens."""
        groups: list[tuple[Claim, ...]] = [(claim,) for claim in claims if claim.attempts > 1]
        fresh = sorted(
            (claim for claim in claims if claim.attempts <= 1),
            key=lambda claim: (claim.variant, claim.number),
        )
        for _, of_variant in groupby(fresh, key=lambda claim: claim.variant):
            groups.extend(self._packed(list(of_variant)))
        return groups

    def _packed(self, claims: list[Claim]) -> list[tuple[Claim, ...]]:
        packed: list[tuple[Claim, ...]] = []
        current: list[Claim] = []
        size = 0
        for claim in claims:
            one = tokens.count(_text(entry(claim)), "")
            full = len(current) >= self.told.rows_per_call or size + one > self.told.tokens_per_call
            if current and full:
                packed.append(tuple(current))
                current, size = [], 0
            current.append(claim)
            size += one
        return [*packed, tuple(current)] if current else packed

    async def work(self, claims: tuple[Claim, ...], hands: Hands) -> Sequence[Claim]:
        """Run the prompt once for all of the rows; those without an answer are tried alone later."""
        alone = len(claims) == 1
        try:
            result = await hands.execute(
                self._request(claims), Call(claims, lambda record: ends(claims, record))
            )
        except QuotaExceeded:
            raise
        except PromptsaasError as refusal:
            if alone or refusal.status == 503:
                raise
            return claims
        if alone:
            return ()
        found = answers(result)
        return [claim for claim in claims if str(claim.number) not in found]

    def _request(self, claims: tuple[Claim, ...]) -> RunRequest:
        first = claims[0]
        shared = {self.told.variable: [entry(claim) for claim in claims]}
        # Not the row's own key: should the row run once more by itself, that call is another one. The fence
        # makes it the claim's, and a claim that was lost is not recorded at all.
        return replace(
            request_for(self.job, first),
            run_id=uuid7(),
            usage_key=f"{first.usage_key}:{first.fence}",
            variables=shared,
            metadata={"row": str(first.number), "rows": str(len(claims))},
        )


def entry(claim: Claim) -> dict[str, Any]:
    """A row as the prompt sees it."""
    return entry_of(str(claim.number), claim.variables)


def entry_of(name: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """A row as the prompt sees it, under this id."""
    return {ID: name, **{key: value for key, value in variables.items() if key != ID}}


def answers(result: RunResult) -> dict[str, Any]:
    """The answer's entries by id; empty for a run that failed, or an answer that is no list of them.

    So it is for one that Postgres could not keep: the row that brings it about is found when it runs alone.
    An id that stands there twice counts as missing: nobody knows which of the two is meant.
    """
    if result.status != "succeeded":
        return {}
    parsed = result.parsed if result.parsed is not None else _parsed(result.text)
    if is_too_deep(parsed) or ("\\u0000" in result.text and _holds_nul(parsed)):
        return {}
    entries = _entries(parsed)
    found: dict[str, Any] = {}
    twice = set()
    for each in entries:
        if not isinstance(each, Mapping) or not isinstance(each.get(ID), str | int):
            continue
        name = str(each[ID])
        if name in found:
            twice.add(name)
        found[name] = {field: value for field, value in each.items() if field != ID}
    return {name: value for name, value in found.items() if name not in twice}


def ends(claims: tuple[Claim, ...], record: RunRecord) -> list[Outcome]:
    """How each row that the run answers ended. A row alone ends in any case.

    Of a run that answers none of them only the cost is told, by the first.
    """
    result = record.result
    whole = outcome(claims[0], result, shortened=record.request.record_payload)
    if len(claims) == 1 and result.status != "succeeded":
        return [whole]
    found = answers(result)
    answered = [claim for claim in claims if str(claim.number) in found]
    if len(claims) == 1 and not answered:
        code, message = UNMATCHED
        return [_changed(whole, claims[0], status="failed", error_code=code, error_message=message)]
    if not answered:
        return [_spent(whole)]
    shares = Shares(result, len(answered))
    return [
        _changed(whole, claim, **_told(found[str(claim.number)]), **shares.of(position))
        for position, claim in enumerate(answered)
    ]


@dataclass(frozen=True, slots=True)
class Shares:
    """Divides a call's tokens and cost among its rows, so that their sums are the call's."""

    result: RunResult
    rows: int

    def of(self, position: int) -> dict[str, Any]:
        """The figures of one row."""
        usage, price = self.result.usage, self.result.price
        return {
            "input_tokens": self._part(usage.input_tokens, position),
            "output_tokens": self._part(usage.output_tokens, position),
            "cost": None if price is None else self._money(price.amount, position),
        }

    def _part(self, total: int | None, position: int) -> int | None:
        if total is None:
            return None
        each, rest = divmod(total, self.rows)
        return each + (position < rest)

    def _money(self, total: Decimal | None, position: int) -> Decimal | None:
        if total is None:
            return None
        each = (total / self.rows).quantize(LEAST_COST, rounding="ROUND_DOWN")
        return total - each * (self.rows - 1) if position == 0 else each


def _text(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        # 1e30 comes back from Postgres as a whole number, which orjson does not write.
        return json.dumps(value, ensure_ascii=False)


def _told(value: dict[str, Any]) -> dict[str, Any]:
    """An entry as a row's output: its only field `output` is the output, else all of its fields are."""
    if set(value) == {VALUE}:
        only = value[VALUE]
        text = only if isinstance(only, str) else orjson.dumps(only).decode()
        return {"output": text, "parsed": None if isinstance(only, str) else only}
    return {"output": orjson.dumps(value).decode(), "parsed": value}


def _changed(whole: Outcome, claim: Claim, **values: Any) -> Outcome:
    # The run's content is the whole call's: a row's part of it lies nowhere else.
    return replace(whole, claim=claim, shortened=False, **values)


def _spent(whole: Outcome) -> Outcome:
    return Outcome(
        whole.claim,
        "running",
        input_tokens=whole.input_tokens,
        output_tokens=whole.output_tokens,
        cost=whole.cost,
        cost_status=whole.cost_status,
        reserved=min(whole.cost or Decimal(0), whole.claim.reserved),
    )


def _entries(parsed: Any) -> list[Any]:
    """The list itself, or the only list in an object: many providers want an object at the top."""
    if isinstance(parsed, list):
        return parsed
    if isinstance(parsed, Mapping):
        lists = [value for value in parsed.values() if isinstance(value, list)]
        return lists[0] if len(lists) == 1 else []
    return []


def _holds_nul(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_holds_nul(each) for pair in value.items() for each in pair)
    return (
        "\0" in value if isinstance(value, str) else isinstance(value, list) and any(map(_holds_nul, value))
    )


def _parsed(text: str) -> Any:
    inner = _FENCE.match(text)
    try:
        return orjson.loads(inner.group(1) if inner else text)
    except orjson.JSONDecodeError:
        return None

"""What options make of an estimate: equal rows that cost nothing, a sample that comes first."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from django.db import connection

from apps.batches.estimating import Estimate
from apps.batches.planning import Plan
from apps.batches.work import MultiRowWork

MOST_COUNTED: Final = 100_000
"""Up to here equal rows are counted before the start: it reads every row."""

_DISTINCT: Final = """
SELECT count(DISTINCT md5((
    CASE WHEN cardinality(%(names)s::text[]) = 0 THEN variables
    ELSE (SELECT jsonb_object_agg(name, variables -> name) FROM unnest(%(names)s::text[]) AS name) END
)::text))
FROM datasets_datasetrow
WHERE organization_id = %(organization)s AND dataset_version_id = %(version)s AND number <= %(rows)s
"""


@dataclass(frozen=True, slots=True)
class Outlook:
    """The estimate of all `rows` with what the options change.

    `distinct_rows` is how many differ, None where that is not asked for or not counted; `sample` the cost of
    the sample alone.
    """

    estimate: Estimate
    rows: int
    distinct_rows: int | None = None
    sample: Estimate | None = None

    @property
    def equal_rows(self) -> int | None:
        """How many rows get another's answer."""
        return None if self.distinct_rows is None else self.rows - self.distinct_rows


def outlook(plan: Plan, *, deduplicate: bool = False, sample_rows: int | None = None) -> Outlook:
    """Look at a plan with options; one statement where equal rows are to be counted."""
    expected = plan.estimate
    distinct = distinct_rows(plan) if deduplicate else None
    if distinct is not None:
        expected = _scaled(expected, distinct, plan.rows)
    sample = None
    if sample_rows is not None and sample_rows < plan.rows:
        sample = _scaled(plan.estimate, sample_rows, plan.rows)
    return Outlook(expected, plan.rows, distinct, sample)


def distinct_rows(plan: Plan) -> int | None:
    """How many of the rows differ in what the prompt reads; None for more rows than are looked through."""
    if plan.rows > MOST_COUNTED:
        return None
    several = isinstance(plan.work, MultiRowWork)
    read = {each["name"] for variant in plan.variants for each in variant.prompt.variables}
    names: dict[str, Any] = {
        "names": [] if several else sorted(read),
        "organization": plan.dataset_version.organization_id,
        "version": plan.dataset_version.pk,
        "rows": plan.source_rows,
    }
    with connection.cursor() as cursor:
        cursor.execute(_DISTINCT, names)
        return int(cursor.fetchone()[0])


def _scaled(estimate: Estimate, rows: int, of: int) -> Estimate:
    share = Decimal(rows) / of
    return replace(
        estimate,
        low=None if estimate.low is None else estimate.low * share,
        high=None if estimate.high is None else estimate.high * share,
        input_tokens=estimate.input_tokens * rows // of,
        output_tokens_low=estimate.output_tokens_low * rows // of,
        output_tokens_high=estimate.output_tokens_high * rows // of,
    )

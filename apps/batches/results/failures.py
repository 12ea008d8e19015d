"""Failed rows by reason. Call inside the organization's scope.

While a job runs, its reasons are found by one step in the index for each and counted up to a bound, so the
page costs the same for a hundred failures and for a million. When it ends they are counted exactly, once, and
kept with the job: no counter is written with every failed row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection
from django.db.models import Count, Min

from apps.batches.models import BatchItem, BatchJob, ItemStatus

MOST_COUNTED: Final = 10_000
MOST_REASONS: Final = 50

_REASONS: Final = """
WITH RECURSIVE reason AS (
    (SELECT error_code, number FROM batches_batchitem
     WHERE organization_id = %(organization)s AND batch_id = %(job)s AND status = 'failed'
     ORDER BY error_code, number LIMIT 1)
    UNION ALL
    SELECT next.error_code, next.number FROM reason, LATERAL (
        SELECT error_code, number FROM batches_batchitem
        WHERE organization_id = %(organization)s AND batch_id = %(job)s AND status = 'failed'
          AND error_code > reason.error_code
        ORDER BY error_code, number LIMIT 1
    ) AS next
)
SELECT reason.error_code, reason.number, (
    SELECT count(*) FROM (
        SELECT FROM batches_batchitem
        WHERE organization_id = %(organization)s AND batch_id = %(job)s AND status = 'failed'
          AND error_code = reason.error_code LIMIT %(bound)s
    ) AS counted
)
FROM reason LIMIT %(reasons)s
"""


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failed rows with one reason, and the first of them as an example.

    `rows` is what is known for certain; with `more` there are more than that.
    """

    code: str
    rows: int
    number: int
    message: str
    more: bool = False


def failures(job: BatchJob) -> list[FailureGroup]:
    """The failed rows by reason, the most frequent first; at most two queries."""
    if not job.failed:
        return []
    found = job.failure_groups if job.is_terminal and job.failure_groups else _bounded(job)
    numbers = [group["number"] for group in found]
    items = BatchItem.objects.filter(batch=job, number__in=numbers)
    messages = dict(items.values_list("number", "error_message"))
    return [
        FailureGroup(
            group["code"],
            group["rows"],
            group["number"],
            messages.get(group["number"], ""),
            group.get("more", False),
        )
        for group in sorted(found, key=lambda group: (-group["rows"], group["code"]))
    ]


def count_failures(job: BatchJob) -> list[dict[str, Any]]:
    """The exact groups of a job that ends, as they are kept with it; messages stay with the rows."""
    if not job.failed:
        return []
    failed = BatchItem.objects.filter(batch=job, status=ItemStatus.FAILED)
    groups = failed.order_by().values("error_code").annotate(rows=Count("id"), number=Min("number"))
    return [
        {"code": group["error_code"], "rows": group["rows"], "number": group["number"]} for group in groups
    ]


def _bounded(job: BatchJob) -> Sequence[Mapping[str, Any]]:
    names: dict[str, Any] = {
        "organization": job.organization_id,
        "job": job.pk,
        "bound": MOST_COUNTED + 1,
        "reasons": MOST_REASONS,
    }
    with connection.cursor() as cursor:
        cursor.execute(_REASONS, names)
        found = [{"code": code, "number": number, "rows": rows} for code, number, rows in cursor.fetchall()]
    large = [group for group in found if group["rows"] > MOST_COUNTED]
    if len(large) == 1:
        # All others are counted to their end, so the rest of the job's failures is this one's.
        others = sum(group["rows"] for group in found) - large[0]["rows"]
        large[0]["rows"] = max(job.failed - others, MOST_COUNTED)
        return found
    return [
        group | {"rows": min(group["rows"], MOST_COUNTED), "more": group["rows"] > MOST_COUNTED}
        for group in found
    ]

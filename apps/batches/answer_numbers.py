"""Numbering a stream's answers in the order of their commits, so that a reader can go on behind the last one.

A job's row is locked by the statement that completes its items and stays so until the commit: numbers that
are counted in it after that can't be overtaken.
"""

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncCursor

_NUMBER: Final = """
WITH ended AS (
    SELECT id, batch_id, organization_id,
           row_number() OVER (PARTITION BY batch_id ORDER BY finished_at, number) AS place
    FROM batches_batchitem WHERE id = ANY(%(ids)s)
), counted AS (
    UPDATE batches_batchjob AS job SET answered = job.answered + sums.rows
    FROM (SELECT batch_id, organization_id, count(*) AS rows FROM ended GROUP BY 1, 2) AS sums
    WHERE job.id = sums.batch_id AND job.organization_id = sums.organization_id
    RETURNING job.id, job.answered - sums.rows AS before
)
UPDATE batches_batchitem AS item SET answer_number = counted.before + ended.place
FROM ended JOIN counted ON counted.id = ended.batch_id
WHERE item.id = ended.id AND item.organization_id = ended.organization_id
"""


async def number_answers(cursor: AsyncCursor[Any], items: Collection[UUID]) -> None:
    """Give rows of streams that have just ended their numbers. Call it in the transaction that ended them."""
    await cursor.execute(_NUMBER, {"ids": sorted(items)})

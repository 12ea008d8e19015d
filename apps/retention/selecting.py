"""How due rows are found: statements that the dry run counts by and the purge deletes by.

Each names its organization, since the purge works under the system role. Runs are found by the time in their
ids, which the index of a project's runs is ordered by; the content of a run has its id.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from apps.core.ids import first_of
from apps.retention import rules
from apps.retention.models import DataClass
from apps.retention.rules import Settings

FIRST_ID: Final = UUID(int=0)
LAST_ID: Final = UUID(int=2**128 - 1)

_NOT_HELD: Final = "AND ({table}.prompt_id IS NULL OR {table}.prompt_id <> ALL(%(held)s::uuid[]))"

_RUNS: Final = """
SELECT run.id FROM runs_run AS run
WHERE run.organization_id = %(organization)s AND run.project_id = %(project)s
  AND run.id > %(after)s AND run.id < %(bound)s {not_held}
"""
WITH_CONTENT: Final = """
  AND EXISTS (SELECT FROM runs_runpayload AS content
      WHERE content.id = run.id AND content.organization_id = run.organization_id)
"""
_WORDS: Final = """
SELECT voice.run_id AS id FROM runs_feedback AS voice
WHERE voice.organization_id = %(organization)s AND voice.project_id = %(project)s
  AND voice.run_id > %(after)s AND voice.run_id < %(bound)s AND voice.sealed_text IS NOT NULL {not_held}
"""
# What no roll-up has counted yet must still be there when it is.
_COUNTED: Final = """
  AND run.id NOT IN (
      SELECT unnest(run_ids) FROM runs_uncountedruns WHERE organization_id = %(organization)s
      UNION ALL SELECT run_id FROM runs_uncountedfeedback WHERE organization_id = %(organization)s)
"""
_JOBS: Final = """
SELECT job.id FROM batches_batchjob AS job
WHERE job.organization_id = %(organization)s AND job.project_id = %(project)s AND job.id > %(after)s
  AND job.status IN ('completed', 'failed', 'cancelled', 'expired') AND job.completed_at <= %(cutoff)s
  AND job.content_deleted_at IS NULL {not_held}
"""
_VERSIONS: Final = """
SELECT version.id FROM datasets_datasetversion AS version
JOIN datasets_dataset AS dataset ON dataset.id = version.dataset_id
    AND dataset.organization_id = version.organization_id
LEFT JOIN LATERAL (
    SELECT newer.created_at FROM datasets_datasetversion AS newer
    WHERE newer.dataset_id = version.dataset_id AND newer.number > version.number
    ORDER BY newer.number LIMIT 1
) AS following ON TRUE
WHERE version.organization_id = %(organization)s AND dataset.project_id = %(project)s
  AND version.id > %(after)s AND dataset.deleted_at IS NULL
  AND (version.rows_deleted_at IS NULL
      OR EXISTS (SELECT FROM datasets_datasetrow AS row WHERE row.dataset_version_id = version.id))
  AND least(following.created_at, dataset.archived_at) <= %(cutoff)s
  AND NOT EXISTS (
      SELECT FROM batches_batchjob AS job
      WHERE job.organization_id = version.organization_id AND job.dataset_version_id = version.id
        AND job.content_deleted_at IS NULL)
  AND NOT EXISTS (SELECT FROM datasets_datasetdraft AS draft WHERE draft.base_id = version.id)
"""
_FILES: Final = """
SELECT file.id FROM core_storedfile AS file
WHERE file.organization_id = %(organization)s AND file.id > %(after)s AND file.created_at <= %(cutoff)s
"""
_DETAILS: Final = """
SELECT detail.id FROM audit_auditdetail AS detail
WHERE detail.organization_id = %(organization)s AND detail.event_id < %(bound)s
"""


@dataclass(frozen=True, slots=True)
class Due:
    """The due rows of one class in one project (or in the organization).

    `sql` selects the ids that a purge goes through; `counted` selects rows that would go, and no others.
    """

    sql: str
    counted: tuple[str, ...]
    parameters: dict[str, Any]


def due(
    settings: Settings, data_class: DataClass, organization_id: UUID, project_id: UUID | None, at: datetime
) -> Due | None:
    """How to find what is due at an instant; None where nothing of the class can be."""
    latest = rules.cutoff(settings, data_class, project_id, at)
    if latest is None:
        return None
    held = rules.held_prompts(settings, project_id)
    parameters = {
        "organization": organization_id,
        "project": project_id,
        "after": FIRST_ID,
        "cutoff": latest,
        "bound": bound_of(latest),
        "held": held,
    }
    return Due(*_statements(data_class, bool(held)), parameters)


def bound_of(latest: datetime) -> UUID:
    """The first id that is too young: an id holds whole milliseconds, and its own one still counts."""
    milliseconds = latest.replace(microsecond=latest.microsecond // 1000 * 1000)
    return first_of(milliseconds + timedelta(milliseconds=1))


def words_of(found: Due) -> str:
    """The statement that finds the words of feedback that go with the content of their runs."""
    return found.counted[1]


def _statements(data_class: DataClass, any_held: bool) -> tuple[str, tuple[str, ...]]:
    def unless_held(sql: str, table: str) -> str:
        return sql.format(not_held=_NOT_HELD.format(table=table) if any_held else "")

    if data_class == DataClass.RUN_PAYLOADS:
        runs = unless_held(_RUNS, "run")
        return runs, (runs + WITH_CONTENT, unless_held(_WORDS, "voice"))
    sql = {
        DataClass.RUN_FACTS: unless_held(_RUNS, "run") + _COUNTED,
        DataClass.BATCHES: unless_held(_JOBS, "job"),
        DataClass.DATASETS: _VERSIONS,
        DataClass.FILES: _FILES,
        DataClass.AUDIT: _DETAILS,
    }[data_class]
    return sql, (sql,)

"""How due rows are deleted: one small piece of one class at a time, in the caller's transaction.

A piece says where the next one begins, so a purge can stop after any of them. Everything runs under the
system role, and every statement names its organization.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import connection

from apps.analytics.counting.keeping import note_purged_facts
from apps.retention import queries, selecting
from apps.retention.models import DataClass
from apps.retention.selecting import Due

# A batch's or a version's rows are light beside a chunk of a file, of which each holds a mebibyte.
CHUNKS_OF_A_FILE: Final = 16
_ANSWERS: Final = "answers"
_RUNS: Final = "runs"
_WORDS: Final = "words"
_ITEMS: Final = "items"
_OWN_ROWS: Final = "rows"

_DELETE_CONTENT: Final = """
    DELETE FROM runs_runpayload
    WHERE organization_id = %(organization)s AND id = ANY (ARRAY(SELECT id FROM chosen)) {within} RETURNING id
"""
# So the planner leaves out the partitions of younger runs: of the present one it may think that it is empty.
_WITHIN: Final = "AND id > %(after)s AND id < %(bound)s"
_DELETE_DUE_CONTENT: Final = _DELETE_CONTENT.format(within=_WITHIN)
_SILENCE: Final = """
silenced AS (
    UPDATE runs_feedback SET sealed_text = NULL
    WHERE organization_id = %(organization)s AND run_id = ANY (ARRAY(SELECT id FROM chosen))
      AND sealed_text IS NOT NULL AND score IS NOT NULL
    RETURNING id
), said_no_more AS (
    DELETE FROM runs_feedback
    WHERE organization_id = %(organization)s AND run_id = ANY (ARRAY(SELECT id FROM chosen)) AND score IS NULL
    RETURNING id
)
"""
_CHOSEN: Final = "(SELECT count(*) FROM chosen), (SELECT id FROM chosen ORDER BY id DESC LIMIT 1)"
_CONTENT: Final = f"""
WITH chosen AS MATERIALIZED ({{due}} ORDER BY run.id LIMIT %(limit)s), gone AS ({_DELETE_DUE_CONTENT})
SELECT {_CHOSEN}, (SELECT count(*) FROM gone)
"""
_VOICES: Final = f"""
WITH chosen AS MATERIALIZED ({{due}} ORDER BY voice.run_id LIMIT %(limit)s), {_SILENCE}
SELECT {_CHOSEN}, (SELECT count(*) FROM silenced) + (SELECT count(*) FROM said_no_more)
"""
_FACTS: Final = f"""
WITH chosen AS MATERIALIZED ({{due}} ORDER BY run.id LIMIT %(limit)s), content AS ({_DELETE_DUE_CONTENT}),
voices AS (
    DELETE FROM runs_feedback
    WHERE organization_id = %(organization)s AND run_id = ANY (ARRAY(SELECT id FROM chosen)) RETURNING id
), gone AS (
    DELETE FROM runs_run
    WHERE organization_id = %(organization)s AND id = ANY (ARRAY(SELECT id FROM chosen)) {_WITHIN}
    RETURNING id
)
SELECT {_CHOSEN}, (SELECT count(*) FROM gone)
"""
_ANSWERS_OF_CONTENT: Final = """
DELETE FROM runs_cacheentry WHERE organization_id = %(organization)s AND id = ANY (ARRAY(
    SELECT id FROM runs_cacheentry
    WHERE organization_id = %(organization)s AND project_id = %(project)s AND created_at <= %(cutoff)s
    ORDER BY id LIMIT %(limit)s
))
"""
_DETAILS: Final = """
WITH gone AS (
    DELETE FROM audit_auditdetail
    WHERE organization_id = %(organization)s
      AND id = ANY (ARRAY({due} ORDER BY detail.event_id LIMIT %(limit)s))
    RETURNING id
)
SELECT count(*) FROM gone
"""
_EMPTY_ITEMS: Final = """
UPDATE batches_batchitem SET output = '', output_truncated = FALSE, parsed = NULL, input_digest = NULL
WHERE organization_id = %(organization)s AND batch_id = %(batch)s
  AND number > %(place)s AND number <= %(place)s + %(limit)s
  AND (output <> '' OR parsed IS NOT NULL OR input_digest IS NOT NULL)
"""
_CONTENT_OF_BATCH: Final = f"""
WITH chosen AS MATERIALIZED (
    SELECT run.id FROM runs_run AS run
    WHERE run.organization_id = %(organization)s AND run.source_id = %(batch)s AND run.id > %(place)s
    ORDER BY run.id LIMIT %(limit)s
), gone AS ({_DELETE_CONTENT.format(within="AND id > %(place)s")}), {_SILENCE}
SELECT {_CHOSEN}
"""
# Rows that a batch took from elsewhere go with what it answered, unless another batch still uses them.
_ROWS_OF_BATCH: Final = """
SELECT version.row_count, version.file_id, version.problems_file_id
FROM datasets_datasetversion AS version
JOIN datasets_dataset AS dataset ON dataset.id = version.dataset_id
    AND dataset.organization_id = version.organization_id
WHERE version.organization_id = %(organization)s AND version.id = %(version)s AND dataset.origin = 'batch'
  AND NOT EXISTS (
      SELECT FROM batches_batchjob AS other
      WHERE other.organization_id = version.organization_id AND other.dataset_version_id = version.id
        AND other.id <> %(batch)s AND other.content_deleted_at IS NULL)
"""
# The answers of an OpenAI batch stand in files as well; the purge of expired files takes them.
_EXPIRE_ANSWERS: Final = """
UPDATE batches_openaifile AS file SET expires_at = now() FROM batches_openaibatch AS batch
WHERE batch.organization_id = %(organization)s AND batch.id = %(batch)s
  AND file.organization_id = batch.organization_id
  AND file.id IN (batch.output_file_id, batch.error_file_id)
"""
_DELETE_ROWS: Final = """
DELETE FROM datasets_datasetrow
WHERE organization_id = %(organization)s AND dataset_version_id = %(version)s
  AND number > %(place)s AND number <= %(place)s + %(limit)s
"""
_MARK_VERSION: Final = """
UPDATE datasets_datasetversion SET rows_deleted_at = now()
WHERE id = %(version)s AND rows_deleted_at IS NULL
"""
_DELETE_FILE_CHUNKS: Final = """
DELETE FROM core_filechunk
WHERE organization_id = %(organization)s AND file_id = %(file)s
  AND number >= %(place)s AND number < %(place)s + %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Piece:
    """What one piece of work did: rows that went, and where the next one begins (None: at the end)."""

    gone: int
    after: str | None


Sweeper = Callable[[Due, str, int], Piece]


def sweep(data_class: DataClass, found: Due, after: str, limit: int) -> Piece:
    """Delete about `limit` due rows of a class, from where the last piece ended ("" for the first)."""
    return _SWEEPERS[data_class](found, after, limit)


def _sweep_content(found: Due, after: str, limit: int) -> Piece:
    phase, _, place = after.partition(":")
    if phase in ("", _ANSWERS) and _forget_answers(found, limit) == limit:
        return Piece(0, f"{_ANSWERS}:")
    if phase == _WORDS:
        return _through(_VOICES.format(due=selecting.words_of(found)), found, place, limit, _WORDS, None)
    if not place:
        # What went in earlier nights has left runs without content: no need to look at each again.
        place = str(queries.oldest_content())
    return _through(_CONTENT.format(due=found.sql), found, place, limit, _RUNS, f"{_WORDS}:")


def _forget_answers(found: Due, limit: int) -> int:
    """Answers that the semantic cache kept go with the content they are of; copies are not counted."""
    with connection.cursor() as cursor:
        cursor.execute(_ANSWERS_OF_CONTENT, {**found.parameters, "limit": limit})
        return int(cursor.rowcount)


def _sweep_facts(found: Due, after: str, limit: int) -> Piece:
    place = after.partition(":")[2]
    if not place:
        # Before the first one goes: a recount must not take what is missing for a mistake of the roll-ups.
        note_purged_facts(
            organization_id=found.parameters["organization"],
            project_id=found.parameters["project"],
            until=found.parameters["cutoff"],
        )
    return _through(_FACTS.format(due=found.sql), found, place, limit, _RUNS, None)


def _through(sql: str, found: Due, place: str, limit: int, phase: str, then: str | None) -> Piece:
    """One piece of a walk by id; `then` is where to go on once there is nothing further."""
    start = UUID(place) if place else selecting.FIRST_ID
    [(chosen, last, gone)] = _rows(sql, {**found.parameters, "after": start, "limit": limit})
    return Piece(gone, f"{phase}:{last}" if chosen == limit else then)


def _sweep_details(found: Due, after: str, limit: int) -> Piece:
    [(gone,)] = _rows(_DETAILS.format(due=found.sql), {**found.parameters, "limit": limit})
    return Piece(gone, _WORDS if gone == limit else None)


def _sweep_batches(found: Due, after: str, limit: int) -> Piece:
    columns = "due.total, due.dataset_version_id"
    at = _next_due(found, after, "batches_batchjob", columns, "FOR NO KEY UPDATE OF due")
    if at is None:
        return Piece(0, None)
    total, version = at.columns
    parameters = {**found.parameters, "batch": at.row_id, "version": version, "limit": limit}
    if at.phase == _OWN_ROWS:
        return _sweep_own_rows(at, parameters, limit)
    if at.phase != _RUNS:
        end = int(at.place or 0) + limit
        _execute(_EMPTY_ITEMS, {**parameters, "place": int(at.place or 0)})
        return Piece(0, at.then(_ITEMS, end) if end < total else at.then(_RUNS, ""))
    start = UUID(at.place) if at.place else selecting.FIRST_ID
    [(chosen, last)] = _rows(_CONTENT_OF_BATCH, {**parameters, "place": start})
    return Piece(0, at.then(_RUNS, last) if chosen == limit else at.then(_OWN_ROWS, 0))


def _sweep_own_rows(at: "_At", parameters: dict[str, Any], limit: int) -> Piece:
    """The next rows that the batch took from elsewhere; then its content is gone."""
    place = int(at.place or 0)
    for row_count, *file_ids in _rows(_ROWS_OF_BATCH, parameters):
        _execute(_MARK_VERSION, parameters)
        _execute(_DELETE_ROWS, {**parameters, "place": place})
        if place + limit < row_count:
            return Piece(0, at.then(_OWN_ROWS, place + limit))
        _delete_files(parameters, [file_id for file_id in file_ids if file_id])
    _execute(_EXPIRE_ANSWERS, parameters)
    _execute("UPDATE batches_batchjob SET content_deleted_at = now() WHERE id = %(batch)s", parameters)
    return Piece(1, at.over())


def _sweep_datasets(found: Due, after: str, limit: int) -> Piece:
    columns = "due.row_count, due.file_id, due.problems_file_id"
    at = _next_due(found, after, "datasets_datasetversion", columns, "FOR UPDATE OF due")
    if at is None:
        return Piece(0, None)
    place = int(at.place or 0)
    parameters = {**found.parameters, "version": at.row_id, "place": place, "limit": limit}
    # Before its first row goes, so that nothing is begun with the rest.
    _execute(_MARK_VERSION, parameters)
    _execute(_DELETE_ROWS, parameters)
    row_count, *files = at.columns
    if place + limit < row_count:
        return Piece(0, at.then(_ITEMS, place + limit))
    _delete_files(parameters, [file_id for file_id in files if file_id])
    return Piece(1, at.over())


def _sweep_files(found: Due, after: str, limit: int) -> Piece:
    at = _next_due(found, after, "core_storedfile", "due.chunk_count")
    if at is None:
        return Piece(0, None)
    place, several = int(at.place or 0), min(limit, CHUNKS_OF_A_FILE)
    parameters = {**found.parameters, "file": at.row_id, "place": place, "limit": several}
    _execute(_DELETE_FILE_CHUNKS, parameters)
    (chunk_count,) = at.columns
    if place + several < chunk_count:
        return Piece(0, at.then(_ITEMS, place + several))
    _delete_files(parameters, [at.row_id])
    return Piece(1, at.over())


@dataclass(frozen=True, slots=True)
class _At:
    """A due row that is deleted in several pieces: how far it is. As text: "<id>:<phase>:<place>"."""

    row_id: UUID
    phase: str
    place: str
    columns: tuple[Any, ...]

    def then(self, phase: str, place: object) -> str:
        """The same row's next piece."""
        return f"{self.row_id}:{phase}:{place}"

    def over(self) -> str:
        """On to the next row."""
        return f"{self.row_id}::"


def _next_due(found: Due, after: str, table: str, columns: str, lock: str = "") -> _At | None:
    """The row that the last piece left off in, if it is still due, else the next due one."""
    row_id, phase, place = (after or f"{selecting.FIRST_ID}::").split(":")
    last = UUID(row_id)
    start = UUID(int=last.int - 1) if phase else last
    sql = (
        f"SELECT due.id, {columns} FROM {table} AS due WHERE due.id IN ({found.sql}) ORDER BY due.id LIMIT 1"
    )
    rows = _rows(f"{sql} {lock}", {**found.parameters, "after": start})
    if not rows:
        return None
    if rows[0][0] != last:
        # Held, retried or deleted in between.
        phase, place = "", ""
    return _At(rows[0][0], phase, place, rows[0][1:])


def _delete_files(parameters: Mapping[str, Any], file_ids: list[UUID]) -> None:
    named = {**parameters, "files": file_ids}
    where = "organization_id = %(organization)s AND"
    _execute(f"DELETE FROM core_filechunk WHERE {where} file_id = ANY(%(files)s::uuid[])", named)
    _execute(f"DELETE FROM core_storedfile WHERE {where} id = ANY(%(files)s::uuid[])", named)


def _rows(sql: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def _execute(sql: str, parameters: Mapping[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


_SWEEPERS: Final[dict[DataClass, Sweeper]] = {
    DataClass.RUN_PAYLOADS: _sweep_content,
    DataClass.RUN_FACTS: _sweep_facts,
    DataClass.BATCHES: _sweep_batches,
    DataClass.DATASETS: _sweep_datasets,
    DataClass.FILES: _sweep_files,
    DataClass.AUDIT: _sweep_details,
}

"""New versions of a dataset: from rows, by adding rows, from an older version, with other columns."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final
from uuid import UUID

from django.db.models import Max

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core.errors import Conflict, InvalidRequest
from apps.datasets.exporting import is_text
from apps.datasets.limits import MAX_ROWS
from apps.datasets.mapping import (
    ColumnMapping,
    ColumnType,
    MappingProblem,
    RowValues,
    ValueProblem,
    check,
    convert,
    type_of,
)
from apps.datasets.models import Dataset, DatasetDraft, DatasetVersion, Origin, VersionKind
from apps.datasets.row_storage import (
    copy_rows,
    demand_copyable,
    demand_rows,
    insert_rows,
    iterate_rows,
    measure_rows,
)
from apps.datasets.values import StoredValues, columns_mapping, original, stored
from apps.tenants.models import Project

MAX_COLUMNS: Final = 200
LONGEST_NAME: Final = 120
LONGEST_COLUMN: Final = 100
LONGEST_NOTE: Final = 200


def create_version(
    *, actor: Actor, project: Project, dataset_name: str, rows: Sequence[RowValues], note: str = ""
) -> DatasetVersion:
    """Make a new version of the dataset of that name from rows given directly. Raises InvalidRequest."""
    dataset = get_or_create_dataset(project, dataset_name)
    return replace_rows(actor=actor, dataset=dataset, rows=rows, note=note)


def replace_rows(
    *,
    actor: Actor,
    dataset: Dataset,
    rows: Sequence[RowValues],
    expected_number: int | None = None,
    note: str = "",
) -> DatasetVersion:
    """A new version that holds exactly these rows. Raises as `append_rows`."""
    if not rows:
        raise InvalidRequest("Give at least one row.", code="no_rows", param="rows")
    _require_fitting(len(rows))
    latest = lock_latest(dataset, expected_number)
    columns = extended_columns((), rows)
    version = next_version(actor, dataset, latest, VersionKind.ROWS, columns, {"format": "jsonl"}, note)
    insert_rows(version, _stored_rows(rows, columns, text=False))
    return finish_version(actor, version, latest)


def append_rows(
    *,
    actor: Actor,
    dataset: Dataset,
    rows: Sequence[RowValues],
    expected_number: int | None = None,
    note: str = "",
) -> DatasetVersion:
    """A new version with these rows behind those of the latest one, which the database copies.

    Variables and metadata that the dataset doesn't have yet become columns. `expected_number` is the version
    that the caller has seen. Raises InvalidRequest (`no_rows`, `too_many_rows`, `row_invalid`, which names
    the row) and Conflict (`dataset_version_stale`, `dataset_archived`). An open draft goes on from the new
    version.
    """
    if not rows:
        raise InvalidRequest("Give at least one row.", code="no_rows", param="rows")
    latest = lock_latest(dataset, expected_number)
    if latest is None:
        return replace_rows(actor=actor, dataset=dataset, rows=rows, note=note)
    demand_copyable(latest)
    _require_fitting(latest.row_count + len(rows))
    columns = extended_columns(columns_mapping(latest.columns), rows)
    version = next_version(actor, dataset, latest, VersionKind.APPEND, columns, latest.layout, note)
    copied = copy_rows(version, latest)
    insert_rows(version, _stored_rows(rows, columns, text=is_text(latest)), before=copied)
    # The base's rows keep their numbers, so the draft's edits stand where they stood.
    DatasetDraft.objects.filter(dataset=dataset, base=latest).update(base=version)
    return finish_version(actor, version, latest)


def restore_version(
    *, actor: Actor, version: DatasetVersion, expected_number: int | None = None
) -> DatasetVersion:
    """A new version with the rows and columns of an older one. Raises Conflict, InvalidRequest."""
    dataset = version.dataset
    latest = lock_latest(dataset, expected_number)
    if latest is None or latest.id == version.id:
        raise InvalidRequest("This is the latest version already.", code="version_unchanged", param="version")
    demand_rows(version)
    demand_copyable(version)
    restored = next_version(
        actor,
        dataset,
        latest,
        VersionKind.RESTORE,
        columns_mapping(version.columns),
        version.layout,
        f"From v{version.number}",
    )
    copy_rows(restored, version)
    return finish_version(actor, restored, latest)


def change_columns(
    *, actor: Actor, dataset: Dataset, mapping: Sequence[ColumnMapping], expected_number: int | None = None
) -> DatasetVersion:
    """A new version whose columns have other roles, names or types; the given values stay what they are.

    Raises InvalidRequest (`mapping_invalid`, `row_invalid`) and Conflict.
    """
    latest = lock_latest(dataset, expected_number)
    if latest is None:
        raise InvalidRequest("The dataset has no version.", code="dataset_version_not_found")
    refuse_open_draft(dataset)
    demand_rows(latest)
    demand_copyable(latest)
    given = {item.column: item for item in mapping}
    ordered = [given.pop(column["column"], None) for column in latest.columns]
    if given or None in ordered:
        raise InvalidRequest("Give each column of the version once.", code="mapping_invalid", param="columns")
    columns = tuple(item for item in ordered if item is not None)
    check_mapping(columns, [column["column"] for column in latest.columns])
    version = next_version(actor, dataset, latest, VersionKind.COLUMNS, columns, latest.layout, "")
    insert_rows(version, _remapped(latest, columns))
    return finish_version(actor, version, latest)


def get_or_create_dataset(project: Project, name: str) -> Dataset:
    """The dataset of that name. Raises InvalidRequest for a bad name."""
    name = checked_name(name)
    dataset, _ = Dataset.objects.get_or_create(
        project=project,
        name=name,
        origin=Origin.LIBRARY,
        defaults={"organization_id": project.organization_id},
    )
    return dataset


def checked_name(name: str) -> str:
    """A dataset's name, trimmed. Raises InvalidRequest."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidRequest(f"A dataset's name has 1 to {LONGEST_NAME} characters.", param="name")
    return name


def lock_latest(dataset: Dataset, expected_number: int | None = None) -> DatasetVersion | None:
    """Lock the dataset, so that its versions stay gapless, and give its latest version.

    Raises Conflict for an archived dataset, for one of a batch, and when the latest isn't the expected one.
    """
    locked = Dataset.objects.select_for_update().get(pk=dataset.pk)
    if locked.origin != Origin.LIBRARY:
        raise Conflict(
            "These rows belong to a batch and stay as they are. Keep them as a dataset first.",
            code="dataset_of_batch",
        )
    if locked.archived_at is not None or locked.deleted_at is not None:
        raise Conflict("The dataset is archived. Bring it back first.", code="dataset_archived")
    latest = DatasetVersion.objects.filter(dataset=dataset).order_by("-number").first()
    number = latest.number if latest else 0
    if expected_number is not None and number != expected_number:
        raise Conflict(
            f"The dataset is at v{number} by now; you have seen v{expected_number}. Compare, then try again.",
            code="dataset_version_stale",
            param="expected_number",
            current_number=number,
        )
    return latest


def next_version(
    actor: Actor,
    dataset: Dataset,
    latest: DatasetVersion | None,
    kind: VersionKind,
    columns: Iterable[ColumnMapping],
    layout: dict[str, Any],
    note: str,
) -> DatasetVersion:
    """An empty version behind the latest one, of a locked dataset."""
    return DatasetVersion.objects.create(
        organization_id=dataset.organization_id,
        dataset=dataset,
        number=latest.number + 1 if latest else 1,
        columns=[item.as_json() for item in columns],
        layout=layout,
        kind=kind,
        note=note.strip()[:LONGEST_NOTE],
        created_by_id=actor.id if actor.kind == "user" and isinstance(actor.id, UUID) else None,
    )


def finish_version(actor: Actor, version: DatasetVersion, latest: DatasetVersion | None) -> DatasetVersion:
    """Count a version's rows and bytes, and record it."""
    highest = version.rows.aggregate(highest=Max("number"))["highest"]
    version.row_count = highest or 0
    version.byte_count = measure_rows(version)
    version.save(update_fields=["row_count", "byte_count", "file_id", "problem_count", "problems_file_id"])
    audit.record(
        actor=actor,
        action="dataset_version.created",
        target=version,
        organization_id=version.organization_id,
        changes={
            "rows": (latest.row_count if latest else None, version.row_count),
            "kind": (None, str(version.kind)),
            "problems": (None, version.problem_count),
        },
        target_name=f"{version.dataset.name} v{version.number}",
    )
    return version


def check_mapping(mapping: Sequence[ColumnMapping], columns: Sequence[str]) -> None:
    """Raises InvalidRequest, naming the column, for a mapping that can't be used."""
    try:
        check(mapping, columns)
    except MappingProblem as problem:
        raise InvalidRequest(
            str(problem), code="mapping_invalid", param=f"mapping.{problem.column}"
        ) from None


def refuse_open_draft(dataset: Dataset) -> None:
    """Raises Conflict while edits wait that a change of the columns would pull the ground from."""
    if DatasetDraft.objects.filter(dataset=dataset).exists():
        raise Conflict("Edited rows wait in a draft. Publish or discard it first.", code="dataset_draft_open")


def extended_columns(
    columns: Sequence[ColumnMapping], rows: Sequence[RowValues]
) -> tuple[ColumnMapping, ...]:
    """The columns with those that the rows need besides. Raises InvalidRequest past the limit."""
    found: dict[tuple[str, str], ColumnMapping] = {
        (item.role, item.name): item for item in columns if item.role != "ignore"
    }
    expected = next((item for item in columns if item.role == "expected"), None)
    extended, taken = list(columns), {item.column for item in columns}
    for role, name in _wanted(rows):
        if (role, name) in found or (role == "expected" and expected is not None):
            continue
        column = name
        while column in taken:
            column += "_2"
        item = ColumnMapping(column, role, name, _kind(rows, role, name))  # type: ignore[arg-type]
        found[role, name] = item
        taken.add(column)
        extended.append(item)
    if len(extended) > MAX_COLUMNS:
        raise InvalidRequest(f"A dataset has at most {MAX_COLUMNS} columns.", param="rows")
    return tuple(extended)


def _kind(rows: Sequence[RowValues], role: str, name: str) -> ColumnType:
    if role == "expected":
        return "text"
    return type_of((row.variables if role == "variable" else row.metadata).get(name) for row in rows)


def _wanted(rows: Iterable[RowValues]) -> Iterator[tuple[str, str]]:
    variables: dict[str, None] = {}
    metadata: dict[str, None] = {}
    expected = False
    for row in rows:
        variables.update(dict.fromkeys(row.variables))
        metadata.update(dict.fromkeys(row.metadata))
        expected = expected or row.expected is not None
    yield from (("variable", name) for name in sorted(variables))
    if expected:
        yield "expected", "expected"
    yield from (("metadata", name) for name in sorted(metadata))


def _stored_rows(
    rows: Iterable[RowValues], columns: Sequence[ColumnMapping], *, text: bool
) -> Iterator[StoredValues]:
    for number, row in enumerate(rows, start=1):
        try:
            check_names(row)
            yield stored_row(row, columns, text=text)
        except ValueProblem as problem:
            raise InvalidRequest(
                f"Row {number}: {problem}.", code="row_invalid", param=f"rows.{number - 1}"
            ) from None


def check_names(row: RowValues) -> None:
    """Raises ValueProblem for a value whose name is too long to be a column's."""
    for name in (*row.variables, *row.metadata):
        if len(name) > LONGEST_COLUMN:
            raise ValueProblem(f"the name {name[:20]}… has more than {LONGEST_COLUMN} characters")


def stored_row(row: RowValues, columns: Sequence[ColumnMapping], *, text: bool) -> StoredValues:
    """A row given by variables as the version keeps it. Raises ValueProblem."""
    values = given_values(row, columns)
    if not text:
        return stored(values, columns, text=False)
    converted = convert(values, columns, text=False)
    return StoredValues(converted.variables, converted.expected, converted.metadata)


def given_values(row: RowValues, columns: Sequence[ColumnMapping]) -> dict[str, Any]:
    """A row given by variables as one by column."""
    values: dict[str, Any] = {}
    for item in columns:
        if item.role == "expected" and row.expected is not None:
            values[item.column] = row.expected
        elif item.role in {"variable", "metadata"}:
            given = row.variables if item.role == "variable" else row.metadata
            if item.name in given:
                values[item.column] = given[item.name]
    return values


def _remapped(version: DatasetVersion, columns: Sequence[ColumnMapping]) -> Iterator[StoredValues]:
    text = is_text(version)
    for number, row in enumerate(iterate_rows(version), start=1):
        try:
            yield stored(original(version.columns, row, text=text), columns, text=text)
        except ValueProblem as problem:
            raise InvalidRequest(f"Row {number}: {problem}.", code="row_invalid", param="columns") from None


def _require_fitting(count: int) -> None:
    if count > MAX_ROWS:
        raise InvalidRequest(
            f"A dataset holds at most {MAX_ROWS:,} rows.", code="too_many_rows", param="rows"
        )

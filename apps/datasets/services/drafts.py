"""Edits of rows: collected in a dataset's draft, then published as one new version.

Every edit names what its editor saw: the version, and the row's last edit. A second editor of the same row
gets a Conflict instead of overwriting it; edits of different rows don't meet.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.db.models import Max

from apps.audit.actor import Actor
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.datasets.exporting import is_text
from apps.datasets.limits import MAX_ROWS
from apps.datasets.mapping import ValueProblem
from apps.datasets.models import (
    Dataset,
    DatasetChange,
    DatasetDraft,
    DatasetRow,
    DatasetVersion,
    VersionKind,
)
from apps.datasets.row_storage import copy_rows, demand_copyable
from apps.datasets.services.versions import finish_version, lock_latest, next_version
from apps.datasets.values import StoredValues, columns_mapping, stored

MAX_CHANGES: Final = 1_000


def change_row(
    *,
    actor: Actor,
    dataset: Dataset,
    version_number: int,
    place: int,
    sequence: int,
    values: Mapping[str, Any],
    revision: int,
) -> DatasetChange:
    """Edit a row of the draft, given by column. `revision` is the row's own, 0 for one that nobody edited.

    Raises Conflict (`row_changed`, `dataset_version_stale`), InvalidRequest (`row_invalid`), NotFound.
    """
    draft = _open(actor, dataset, version_number)
    change = _change_of(draft, place, sequence, revision)
    change.removed = False
    return _save(actor, draft, change, _stored(draft.base, values))


def add_row(
    *, actor: Actor, dataset: Dataset, version_number: int, after: int | None, values: Mapping[str, Any]
) -> DatasetChange:
    """Add a row to the draft behind the row numbered `after`, or at the end. Raises as `change_row`."""
    draft = _open(actor, dataset, version_number)
    place = draft.base.row_count if after is None else after
    if not 0 <= place <= draft.base.row_count:
        raise NotFound("There is no such row.", code="row_not_found")
    found = DatasetChange.objects.filter(draft=draft, place=place)
    sequence = (found.aggregate(highest=Max("sequence"))["highest"] or 0) + 1
    change = DatasetChange(organization_id=draft.organization_id, draft=draft, place=place, sequence=sequence)
    return _save(actor, draft, change, _stored(draft.base, values))


def remove_row(
    *, actor: Actor, dataset: Dataset, version_number: int, place: int, sequence: int, revision: int
) -> DatasetDraft:
    """Take a row out of the draft. Raises Conflict (`row_changed`, `dataset_version_stale`), NotFound."""
    draft = _open(actor, dataset, version_number)
    change = _change_of(draft, place, sequence, revision)
    if sequence:
        change.delete()
        return _touch(actor, draft)
    change.removed = True
    _save(actor, draft, change, StoredValues({}, None, {}))
    return draft


def undo_change(
    *, actor: Actor, dataset: Dataset, version_number: int, place: int, sequence: int, revision: int
) -> DatasetDraft:
    """Let a row be again what it is in the base version; an added row goes. Raises as `remove_row`."""
    draft = _open(actor, dataset, version_number)
    change = _change_of(draft, place, sequence, revision)
    if change._state.adding:
        raise NotFound("This row has not been edited.", code="row_not_found")
    change.delete()
    return _touch(actor, draft)


def publish_draft(
    *, actor: Actor, dataset: Dataset, revision: int, note: str = "", on_top: bool = False
) -> DatasetVersion:
    """Make the draft the dataset's next version and begin anew.

    `revision` is the draft's that the actor has looked at. `on_top` publishes although a newer version came
    in between, whose rows are then not in the new one. Raises Conflict (`draft_changed`,
    `dataset_version_stale`) and NotFound.
    """
    latest = lock_latest(dataset)
    draft = _checked_draft(dataset, revision)
    base = draft.base
    if latest is not None and latest.id != base.id and not on_top:
        raise Conflict(
            f"v{latest.number} was made after the v{base.number} that these edits are of. "
            f"Publish them on top of v{base.number}, or discard them.",
            code="dataset_version_stale",
            current_number=latest.number,
        )
    _require_fitting(draft)
    columns = columns_mapping(base.columns)
    version = next_version(actor, dataset, latest, VersionKind.EDIT, columns, base.layout, note)
    copy_rows(version, base, draft.id)
    _delete(draft)
    return finish_version(actor, version, latest)


def discard_draft(*, actor: Actor, dataset: Dataset, revision: int) -> None:
    """Throw the draft's edits away. Raises Conflict (`draft_changed`), NotFound."""
    lock_latest(dataset)
    _delete(_checked_draft(dataset, revision))


def _open(actor: Actor, dataset: Dataset, version_number: int) -> DatasetDraft:
    """The dataset's draft, made when there is none, under the dataset's lock."""
    latest = lock_latest(dataset)
    draft = DatasetDraft.objects.select_related("base").filter(dataset=dataset).first()
    base = draft.base if draft else latest
    if base is None or base.number != version_number:
        raise Conflict(
            f"The rows that you edit are of v{version_number}; the draft is of "
            f"v{base.number if base else 0} by now. Open the dataset again.",
            code="dataset_version_stale",
            current_number=base.number if base else 0,
        )
    if draft is not None:
        if draft.revision and DatasetChange.objects.filter(draft=draft).count() >= MAX_CHANGES:
            raise InvalidRequest(
                f"A draft holds at most {MAX_CHANGES:,} edits. Publish it, then go on.", code="draft_full"
            )
        return draft
    demand_copyable(base)
    return DatasetDraft.objects.create(
        organization_id=dataset.organization_id, dataset=dataset, base=base, updated_by_id=_user(actor)
    )


def _change_of(draft: DatasetDraft, place: int, sequence: int, revision: int) -> DatasetChange:
    """The row's change, a new one when nobody edited it. Raises Conflict when somebody did meanwhile."""
    found = DatasetChange.objects.filter(draft=draft, place=place, sequence=sequence)
    change = found.select_related("changed_by").first()
    current = change.revision if change else 0
    if current != revision:
        who = change.changed_by.display_name if change and change.changed_by else "Somebody"
        raise Conflict(
            f"{who} edited this row after you opened it. Look at it again, then decide.",
            code="row_changed",
            current_revision=current,
        )
    if change is not None:
        return change
    if sequence or not DatasetRow.objects.filter(dataset_version=draft.base, number=place).exists():
        raise NotFound("There is no such row.", code="row_not_found")
    return DatasetChange(organization_id=draft.organization_id, draft=draft, place=place, sequence=0)


def _save(actor: Actor, draft: DatasetDraft, change: DatasetChange, values: StoredValues) -> DatasetChange:
    _touch(actor, draft)
    change.revision = draft.revision
    change.variables, change.expected = values.variables, values.expected
    change.metadata, change.source = values.metadata, values.source
    change.changed_by_id = _user(actor)
    change.save()
    return change


def _touch(actor: Actor, draft: DatasetDraft) -> DatasetDraft:
    draft.revision += 1
    draft.updated_by_id = _user(actor)
    draft.save(update_fields=["revision", "updated_by", "updated_at"])
    return draft


def _stored(base: DatasetVersion, values: Mapping[str, Any]) -> StoredValues:
    try:
        return stored(values, columns_mapping(base.columns), text=is_text(base))
    except ValueProblem as problem:
        text = str(problem)
        raise InvalidRequest(f"{text[:1].upper()}{text[1:]}.", code="row_invalid", param="values") from None


def _checked_draft(dataset: Dataset, revision: int) -> DatasetDraft:
    draft = DatasetDraft.objects.select_related("base").filter(dataset=dataset).first()
    if draft is None:
        raise NotFound("There is no draft; it was published or discarded.", code="draft_not_found")
    if draft.revision != revision:
        raise Conflict(
            "The draft was edited after you opened this page. Look at it again, then decide.",
            code="draft_changed",
            current_revision=draft.revision,
        )
    return draft


def _require_fitting(draft: DatasetDraft) -> None:
    changes = DatasetChange.objects.filter(draft=draft)
    added = changes.filter(sequence__gt=0, removed=False).count()
    removed = changes.filter(sequence=0, removed=True).count()
    if draft.base.row_count + added - removed > MAX_ROWS:
        raise InvalidRequest(f"A dataset holds at most {MAX_ROWS:,} rows.", code="too_many_rows")


def _delete(draft: DatasetDraft) -> None:
    DatasetChange.objects.filter(draft=draft).delete()
    draft.delete()


def _user(actor: Actor) -> UUID | None:
    return actor.id if actor.kind == "user" and isinstance(actor.id, UUID) else None

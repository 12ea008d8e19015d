"""Moving, rolling back and removing labels."""

from enum import Enum
from typing import Final, Literal

from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import changes, ids, outbox
from apps.core.errors import Conflict
from apps.core.formatting import format_relative
from apps.prompts import queries
from apps.prompts.models import Label, LabelMove, Prompt, PromptVersion
from apps.prompts.names import check_label
from apps.prompts.services.common import MAX_REASON, author_of, lock_prompt, mark_changed, short_text


class Expected(Enum):
    """The wildcard of a compare-and-set: whatever the label points at now."""

    ANY = "any"


ANY: Final = Expected.ANY
ExpectedNumber = int | None | Literal[Expected.ANY]


def move_label(
    *,
    actor: Actor,
    prompt: Prompt,
    label: str,
    number: int,
    expected_number: ExpectedNumber = ANY,
    reason: str = "",
) -> Label:
    """Point a label at a version; creates the label when the prompt has none of the name.

    `expected_number` makes it a compare-and-set: the number where the caller believes the label is, or None
    for nowhere. Raises Conflict ``label_moved`` when it is elsewhere, NotFound for a missing version,
    InvalidRequest for a name that is not allowed. Moving a label to where it is changes nothing.
    """
    check_label(label)
    cleaned_reason = short_text(reason, MAX_REASON, "reason")
    locked = lock_prompt(prompt)
    version = queries.get_version(locked, number)
    current = _find_label(locked, label)
    before = current.version.number if current else None
    _check_expected(locked, label, before, expected_number)
    if current is not None and before == number:
        return current
    return _point(actor, locked, label, current, version, LabelMove.Kind.MOVE, cleaned_reason)


def rollback_label(
    *,
    actor: Actor,
    prompt: Prompt,
    label: str,
    expected_number: ExpectedNumber = ANY,
    reason: str = "",
) -> Label:
    """Point a label at the version where it stood before; see ``queries.rollback_target``.

    Raises NotFound without such a label, Conflict ``label_moved`` or ``nothing_to_roll_back``.
    """
    check_label(label)
    cleaned_reason = short_text(reason, MAX_REASON, "reason")
    locked = lock_prompt(prompt)
    current = queries.get_label(locked, label)
    _check_expected(locked, label, current.version.number, expected_number)
    target = queries.rollback_target(locked, label)
    if target is None:
        message = f"The label {label} has not been anywhere else."
        raise Conflict(message, code="nothing_to_roll_back", param="label")
    version = queries.get_version(locked, target)
    return _point(actor, locked, label, current, version, LabelMove.Kind.ROLLBACK, cleaned_reason)


def remove_label(
    *,
    actor: Actor,
    prompt: Prompt,
    label: str,
    expected_number: ExpectedNumber = ANY,
    reason: str = "",
) -> None:
    """Remove a label; its history stays. Raises NotFound without such a label, Conflict ``label_moved``."""
    check_label(label)
    cleaned_reason = short_text(reason, MAX_REASON, "reason")
    locked = lock_prompt(prompt)
    current = queries.get_label(locked, label)
    before = current.version.number
    _check_expected(locked, label, before, expected_number)
    current.delete()
    _append_move(actor, locked, label, LabelMove.Kind.REMOVE, before, None, cleaned_reason)


def _point(
    actor: Actor,
    prompt: Prompt,
    name: str,
    current: Label | None,
    version: PromptVersion,
    kind: LabelMove.Kind,
    reason: str,
) -> Label:
    before = current.version.number if current else None
    label = current or Label(organization_id=prompt.organization_id, prompt=prompt, name=name)
    label.version = version
    label.moved_at = timezone.now()
    label.moved_by = actor.display[:254]
    label.save(force_insert=current is None)
    _append_move(actor, prompt, name, kind, before, version.number, reason)
    return label


def _append_move(
    actor: Actor,
    prompt: Prompt,
    label: str,
    kind: LabelMove.Kind,
    before: int | None,
    after: int | None,
    reason: str,
) -> None:
    last = LabelMove.objects.filter(prompt=prompt, label=label).order_by("-sequence").first()
    move = LabelMove.objects.create(
        organization_id=prompt.organization_id,
        prompt=prompt,
        label=label,
        sequence=last.sequence + 1 if last else 1,
        kind=kind,
        from_number=before,
        to_number=after,
        reason=reason,
        **author_of(actor),
    )
    mark_changed(actor, prompt, move.created_at)
    audit.record(
        actor=actor,
        action="label.removed" if kind == LabelMove.Kind.REMOVE else "label.moved",
        target=prompt,
        organization_id=prompt.organization_id,
        target_name=f"{prompt.name}@{label}",
        changes={"version": (before, after), "reason": (None, reason)},
    )
    payload = {
        "prompt_id": prompt.public_id,
        "prompt": prompt.name,
        "label": label,
        "kind": str(kind),
        "from_version": before,
        "to_version": after,
        "reason": reason,
        "project_id": ids.encode("prj", prompt.project_id),
        "actor": actor.told(),
    }
    changes.append("label", str(prompt.pk))
    outbox.write("prompt.label.moved", payload, prompt.organization_id)


def _find_label(prompt: Prompt, name: str) -> Label | None:
    return Label.objects.select_related("version").filter(prompt=prompt, name=name).first()


def _check_expected(prompt: Prompt, label: str, actual: int | None, expected: ExpectedNumber) -> None:
    if expected is ANY or expected == actual:
        return
    where = "is not set" if actual is None else f"points at v{actual}"
    belief = "set nowhere" if expected is None else f"at v{expected}"
    last = queries.label_history(prompt, label).order_by("-sequence").first()
    who, when = (last.author_name or "Somebody", last.created_at) if last else ("Somebody", None)
    moved = f"{who} moved {label}{f' {format_relative(when, timezone.now())}' if when else ''}"
    raise Conflict(
        f"{moved}: it {where} now, and was {belief} when you looked. Nothing was changed.",
        code="label_moved",
        param="expected_version",
        current_version=actual,
        moved_by=who,
        moved_at=when.isoformat() if when else None,
    )

"""Writes of prompts. Call inside the organization's scope.

Every writer locks the prompt's row first, so version numbers have no gaps and a label's history is one line.
"""

from datetime import datetime
from enum import Enum
from typing import Any, Final, Literal

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import changes, outbox
from apps.core.errors import Conflict, InvalidRequest
from apps.prompts import queries
from apps.prompts.content import clean_content, content_hash
from apps.prompts.models import Label, LabelMove, Prompt, PromptVersion
from apps.prompts.names import check_label, clean_prompt_name
from apps.prompts.types import VersionContent
from apps.tenants.models import Project

MAX_DESCRIPTION: Final = 500
MAX_MESSAGE: Final = 500
MAX_REASON: Final = 200


class Expected(Enum):
    """The wildcard of a compare-and-set: whatever the label points at now."""

    ANY = "any"


ANY: Final = Expected.ANY
ExpectedNumber = int | None | Literal[Expected.ANY]


def create_prompt(
    *,
    actor: Actor,
    project: Project,
    name: str,
    kind: str,
    description: str = "",
    content: VersionContent,
    message: str = "",
) -> Prompt:
    """A new prompt with its version 1.

    Raises InvalidRequest for a name or content that is not allowed, Conflict ``prompt_name_taken``.
    """
    if kind not in Prompt.Kind.values:
        raise InvalidRequest("A prompt's kind is text or chat.", param="kind")
    cleaned = clean_content(kind, content)
    prompt = Prompt(
        organization_id=project.organization_id,
        project=project,
        name=clean_prompt_name(name),
        kind=kind,
        description=_short(description, MAX_DESCRIPTION, "description"),
    )
    _insert(prompt)
    audit.record(
        actor=actor,
        action="prompt.created",
        target=prompt,
        organization_id=prompt.organization_id,
        changes={"name": (None, prompt.name), "kind": (None, kind)},
    )
    _add_version(actor, prompt, cleaned, message)
    return prompt


def publish_version(
    *,
    actor: Actor,
    prompt: Prompt,
    content: VersionContent,
    message: str = "",
    base_number: int | None = None,
) -> PromptVersion:
    """A new version. No label moves.

    `base_number` is the version that the author began from; when another one has been saved since, Conflict
    ``version_stale`` is raised and nothing is lost on either side. Raises Conflict ``version_unchanged``
    for the content of the newest version, InvalidRequest for content that is not allowed.
    """
    cleaned = clean_content(prompt.kind, content)
    locked = _lock(prompt)
    if base_number is not None and base_number != locked.latest_number:
        raise Conflict(
            f"Version {locked.latest_number} was saved meanwhile; yours began from version {base_number}.",
            code="version_stale",
            param="base_number",
            latest_number=locked.latest_number,
        )
    if queries.latest_version(locked).content_hash == content_hash(cleaned):
        raise Conflict(
            f"Nothing differs from version {locked.latest_number}.",
            code="version_unchanged",
            param="messages",
            latest_number=locked.latest_number,
        )
    version = _add_version(actor, locked, cleaned, message)
    _copy_state(locked, prompt)
    return version


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
    cleaned_reason = _short(reason, MAX_REASON, "reason")
    locked = _lock(prompt)
    version = queries.get_version(locked, number)
    current = _find_label(locked, label)
    before = current.version.number if current else None
    _check_expected(label, before, expected_number)
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
    cleaned_reason = _short(reason, MAX_REASON, "reason")
    locked = _lock(prompt)
    current = queries.get_label(locked, label)
    _check_expected(label, current.version.number, expected_number)
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
    cleaned_reason = _short(reason, MAX_REASON, "reason")
    locked = _lock(prompt)
    current = queries.get_label(locked, label)
    before = current.version.number
    _check_expected(label, before, expected_number)
    current.delete()
    _append_move(actor, locked, label, LabelMove.Kind.REMOVE, before, None, cleaned_reason)


def _lock(prompt: Prompt) -> Prompt:
    """Without the key, so that rows which name the prompt (runs of a batch) can still be added."""
    return Prompt.objects.select_for_update(no_key=True).get(pk=prompt.pk)


def _insert(prompt: Prompt) -> None:
    try:
        with transaction.atomic():
            prompt.save(force_insert=True)
    except IntegrityError:
        message = f"There is a prompt '{prompt.name}' in this project already."
        raise Conflict(message, code="prompt_name_taken", param="name") from None


def _add_version(actor: Actor, prompt: Prompt, content: VersionContent, message: str) -> PromptVersion:
    version = PromptVersion(
        organization_id=prompt.organization_id,
        prompt=prompt,
        number=prompt.latest_number + 1,
        messages=list(content.messages),
        variables=list(content.variables),
        model=content.model,
        parameters=content.parameters,
        output_schema=content.output_schema,
        message=_short(message, MAX_MESSAGE, "message"),
        content_hash=content_hash(content),
        **_author(actor),
    )
    version.save(force_insert=True)
    prompt.latest_number = version.number
    _mark_changed(actor, prompt, version.created_at)
    audit.record(
        actor=actor,
        action="prompt_version.published",
        target=version,
        organization_id=prompt.organization_id,
        target_name=f"{prompt.name} v{version.number}",
        changes={"number": (None, version.number), "content_hash": (None, version.content_hash)},
    )
    payload = {
        "prompt_id": prompt.public_id,
        "prompt": prompt.name,
        "version_id": version.public_id,
        "version": version.number,
    }
    changes.append("prompt", str(prompt.pk))
    outbox.write("prompt.version.created", payload, prompt.organization_id)
    return version


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
        **_author(actor),
    )
    _mark_changed(actor, prompt, move.created_at)
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
    }
    changes.append("label", str(prompt.pk))
    outbox.write("prompt.label.moved", payload, prompt.organization_id)


def _find_label(prompt: Prompt, name: str) -> Label | None:
    return Label.objects.select_related("version").filter(prompt=prompt, name=name).first()


def _check_expected(label: str, actual: int | None, expected: ExpectedNumber) -> None:
    if expected is ANY or expected == actual:
        return
    where = "is not set" if actual is None else f"points at version {actual}"
    belief = "not set" if expected is None else f"at version {expected}"
    raise Conflict(
        f"The label {label} {where}, not {belief}; somebody moved it.",
        code="label_moved",
        param="expected_version",
        current_version=actual,
    )


def _mark_changed(actor: Actor, prompt: Prompt, at: datetime) -> None:
    prompt.changed_at = at
    prompt.changed_by = actor.display[:254]
    prompt.save(update_fields=["latest_number", "changed_at", "changed_by"])


def _copy_state(source: Prompt, target: Prompt) -> None:
    """Bring the caller's object up to date with the row that was locked and changed."""
    target.latest_number = source.latest_number
    target.changed_at = source.changed_at
    target.changed_by = source.changed_by


def _author(actor: Actor) -> dict[str, Any]:
    return {"author_kind": actor.kind, "author_id": actor.id, "author_name": actor.display[:254]}


def _short(text: str, limit: int, param: str) -> str:
    cleaned = text.strip()
    if len(cleaned) > limit or "\x00" in cleaned:
        raise InvalidRequest(f"The {param} has at most {limit} characters.", param=param)
    return cleaned

"""Legal holds: nothing of a project or a prompt is deleted by a policy while one is in force."""

from typing import Final

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core.errors import Conflict, InvalidRequest
from apps.prompts.models import Prompt
from apps.retention.models import LegalHold
from apps.tenants.models import Project

LONGEST_REASON: Final = 500


def place_hold(*, actor: Actor, project: Project, prompt: Prompt | None, reason: str) -> LegalHold:
    """Keep everything of a project, or of one of its prompts, from the next piece of a purge on.

    Raises InvalidRequest without a reason, Conflict (`legal_hold_exists`) when one in force covers the same.
    """
    reason = _checked(reason)
    try:
        with transaction.atomic():
            hold = LegalHold.objects.create(
                organization_id=project.organization_id,
                project=project,
                prompt=prompt,
                reason=reason,
                placed_by_id=actor.id if actor.kind == "user" else None,
            )
    except IntegrityError:
        covered = f"the prompt {prompt.name}" if prompt else f"the project {project.name}"
        raise Conflict(f"A hold on {covered} is in force already.", code="legal_hold_exists") from None
    _record(actor, hold, "legal_hold.placed", reason)
    return hold


def release_hold(*, actor: Actor, hold: LegalHold, reason: str) -> LegalHold:
    """Let policies have their way again; the hold stays on record.

    Raises InvalidRequest without a reason, Conflict (`legal_hold_released`) the second time.
    """
    reason = _checked(reason)
    locked = LegalHold.objects.select_for_update(of=("self",)).get(pk=hold.pk)
    if locked.released_at is not None:
        raise Conflict("This hold was released already.", code="legal_hold_released")
    locked.released_at, locked.release_reason = timezone.now(), reason
    locked.released_by_id = actor.id if actor.kind == "user" else None
    locked.save(update_fields=["released_at", "release_reason", "released_by"])
    _record(actor, locked, "legal_hold.released", reason)
    return locked


def _checked(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise InvalidRequest("Give a reason.", code="parameter_missing", param="reason")
    if len(reason) > LONGEST_REASON:
        raise InvalidRequest(
            f"A reason has at most {LONGEST_REASON} characters.", code="parameter_invalid", param="reason"
        )
    return reason


def _record(actor: Actor, hold: LegalHold, action: str, reason: str) -> None:
    covered = {"project": (None, hold.project.public_id)}
    if hold.prompt is not None:
        covered["prompt"] = (None, hold.prompt.public_id)
    audit.record(
        actor=actor,
        action=action,
        target=hold,
        organization_id=hold.organization_id,
        changes=covered,
        # A reason may name people.
        personal_changes={"reason": (None, reason)},
    )

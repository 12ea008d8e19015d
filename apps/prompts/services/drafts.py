"""Drafts: what one person has typed into the editor and not yet saved as a version. They are not audited."""

from typing import Any, Final
from uuid import UUID

import orjson
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.audit.actor import Actor
from apps.core.errors import Conflict, InvalidRequest
from apps.prompts import queries
from apps.prompts.drafting import TypedPrompt
from apps.prompts.models import Draft, Prompt

MAX_DRAFT_BYTES: Final = 1024 * 1024


def save_draft(*, actor: Actor, prompt: Prompt, typed: TypedPrompt, base_number: int, revision: int) -> Draft:
    """Keep what a person has typed. `revision` is the one that they last saw, 0 when they saw no draft.

    Raises Conflict ``draft_stale`` when the draft was saved elsewhere since, InvalidRequest for a draft that
    can't be stored or a base that the prompt doesn't have.
    """
    if not 1 <= base_number <= prompt.latest_number:
        message = f"The prompt has versions 1 to {prompt.latest_number}; the draft begins from {base_number}."
        raise InvalidRequest(message, param="base_number")
    user_id = _owner(actor)
    content = _storable(typed)
    draft = Draft.objects.select_for_update().filter(prompt=prompt, user_id=user_id).first()
    if draft is None:
        return _insert(user_id, prompt, content, base_number)
    if draft.content == content and draft.base_number == base_number:
        return draft
    if draft.revision != revision:
        raise _stale(draft)
    draft.content = content
    draft.base_number = base_number
    draft.revision += 1
    draft.updated_at = timezone.now()
    draft.save(update_fields=["content", "base_number", "revision", "updated_at"])
    return draft


def discard_draft(*, actor: Actor, prompt: Prompt, revision: int | None = None) -> bool:
    """Throw a person's draft away; with a `revision` only when it is still that one. Says whether it went."""
    drafts = Draft.objects.filter(prompt=prompt, user_id=_owner(actor))
    if revision is not None:
        drafts = drafts.filter(revision=revision)
    return drafts.delete()[0] > 0


def _owner(actor: Actor) -> UUID:
    if actor.kind != "user" or actor.id is None:
        raise InvalidRequest("Only a person has drafts.")
    return actor.id


def _insert(user_id: UUID, prompt: Prompt, content: dict[str, Any], base_number: int) -> Draft:
    draft = Draft(
        organization_id=prompt.organization_id,
        prompt=prompt,
        user_id=user_id,
        base_number=base_number,
        content=content,
    )
    try:
        with transaction.atomic():
            draft.save(force_insert=True)
    except IntegrityError:
        # Another browser of the same person was first, between the look and the insert.
        found = queries.find_draft(prompt, user_id)
        raise _stale(found or draft) from None
    return draft


def _storable(typed: TypedPrompt) -> dict[str, Any]:
    body = typed.as_json()
    try:
        written = orjson.dumps(body)
    except TypeError:
        message = "The draft holds text that is not valid Unicode."
        raise InvalidRequest(message, code="invalid_text") from None
    if len(written) > MAX_DRAFT_BYTES:
        message = f"A draft may hold at most {MAX_DRAFT_BYTES // 1024} KiB; this one is longer. Shorten it."
        raise InvalidRequest(message, code="content_too_large")
    if b"\\u0000" in written and "\x00" in _texts(body):
        raise InvalidRequest("The draft holds a NUL character, which cannot be stored.", code="invalid_text")
    return body


def _texts(body: Any) -> str:
    if isinstance(body, dict):
        return "".join(f"{key}{_texts(value)}" for key, value in body.items())
    if isinstance(body, list):
        return "".join(_texts(value) for value in body)
    return body if isinstance(body, str) else ""


def _stale(draft: Draft) -> Conflict:
    return Conflict(
        "This draft was changed in another browser meanwhile. Compare the two before you go on.",
        code="draft_stale",
        param="revision",
        revision=draft.revision,
    )

"""What every writer of prompts shares: the lock on a prompt's row, who wrote, texts within their limit."""

from datetime import datetime
from typing import Any, Final

from apps.audit.actor import Actor
from apps.core.errors import InvalidRequest
from apps.prompts.models import Prompt

MAX_DESCRIPTION: Final = 500
MAX_MESSAGE: Final = 500
MAX_REASON: Final = 200


def lock_prompt(prompt: Prompt) -> Prompt:
    """The prompt's row, locked until the scope ends.

    Without the key, so that rows which name the prompt (runs of a batch) can still be added.
    """
    return Prompt.objects.select_for_update(no_key=True).get(pk=prompt.pk)


def mark_changed(actor: Actor, prompt: Prompt, at: datetime) -> None:
    """Note a version or a label move on the prompt, for the lists."""
    prompt.changed_at = at
    prompt.changed_by = actor.display[:254]
    prompt.save(update_fields=["latest_number", "changed_at", "changed_by"])


def copy_state(source: Prompt, target: Prompt) -> None:
    """Bring the caller's object up to date with the row that was locked and changed."""
    target.latest_number = source.latest_number
    target.changed_at = source.changed_at
    target.changed_by = source.changed_by


def author_of(actor: Actor) -> dict[str, Any]:
    """The columns of an AuthoredModel."""
    return {"author_kind": actor.kind, "author_id": actor.id, "author_name": actor.display[:254]}


def short_text(text: str, limit: int, param: str) -> str:
    """The text without blanks around it. Raises InvalidRequest beyond the limit."""
    cleaned = text.strip()
    if len(cleaned) > limit or "\x00" in cleaned:
        raise InvalidRequest(f"The {param} has at most {limit} characters.", param=param)
    return cleaned

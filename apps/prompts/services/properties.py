"""What a prompt is called and filed under: name, description, tags, archive. One prompt or many at once.

A change of many is one transaction: rows are locked in the order of their ids, every conflict is found before
the first change, and each prompt gets its own line in the audit log.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import changes, outbox
from apps.core.errors import Conflict, InvalidRequest
from apps.prompts.models import Prompt
from apps.prompts.names import MAX_TAGS, clean_folder, clean_prompt_name, clean_tags
from apps.prompts.services.common import MAX_DESCRIPTION, lock_prompt, short_text

MOST_AT_ONCE: Final = 2_000
CONFLICTS_NAMED: Final = 20


def describe_prompt(*, actor: Actor, prompt: Prompt, description: str) -> Prompt:
    """A prompt with another description. Raises InvalidRequest for one that is too long."""
    cleaned = short_text(description, MAX_DESCRIPTION, "description")
    locked = lock_prompt(prompt)
    _change(actor, locked, "prompt.described", description=cleaned)
    return locked


def set_tags(*, actor: Actor, prompt: Prompt, tags: Iterable[str]) -> Prompt:
    """A prompt with these tags and no others. Raises InvalidRequest for a tag that is not allowed."""
    cleaned = clean_tags(tags)
    locked = lock_prompt(prompt)
    _change(actor, locked, "prompt.tagged", tags=cleaned)
    return locked


def rename_prompt(*, actor: Actor, prompt: Prompt, name: str) -> Prompt:
    """A prompt with another name; the old one answers "not found" from then on.

    Raises InvalidRequest ``name_invalid``, Conflict ``prompt_name_taken``.
    """
    cleaned = clean_prompt_name(name)
    locked = lock_prompt(prompt)
    _rename(actor, [(locked, cleaned)])
    return locked


def archive_prompt(*, actor: Actor, prompt: Prompt) -> Prompt:
    """Hide a prompt from lists and refuse new versions; its labels are served as before."""
    locked = lock_prompt(prompt)
    _archive(actor, locked)
    return locked


def restore_prompt(*, actor: Actor, prompt: Prompt) -> Prompt:
    """Take a prompt out of the archive."""
    locked = lock_prompt(prompt)
    _restore(actor, locked)
    return locked


def tag_prompts(
    *, actor: Actor, prompts: QuerySet[Prompt], add: Iterable[str] = (), remove: Iterable[str] = ()
) -> int:
    """Give and take tags; returns how many prompts changed.

    Raises InvalidRequest for tags that are not allowed or too many prompts, Conflict ``too_many_tags`` naming
    the prompts that would have more than a prompt may have.
    """
    given, taken = set(clean_tags(add)), set(clean_tags(remove))
    if not given | taken or given & taken:
        raise InvalidRequest("Name tags to add or to remove, and none in both.", param="add")
    rows = _locked(prompts)
    wanted = [(row, sorted((set(row.tags) | given) - taken)) for row in rows]
    crowded = [row.name for row, tags in wanted if len(tags) > MAX_TAGS]
    _refuse(crowded, "too_many_tags", f"would have more than {MAX_TAGS} tags", "add")
    return sum(_change(actor, row, "prompt.tagged", tags=tags) for row, tags in wanted)


def move_prompts(*, actor: Actor, prompts: QuerySet[Prompt], folder: str) -> int:
    """Put prompts into a folder, empty for the top; returns how many moved.

    Each keeps the last part of its name. Raises InvalidRequest, Conflict ``prompt_names_taken`` naming the
    prompts whose new names are taken or would be equal.
    """
    beginning = clean_folder(folder)
    rows = _locked(prompts)
    moves = [(row, f"{beginning}{row.name.rpartition('/')[2]}") for row in rows]
    return _rename(actor, [(row, name) for row, name in moves if clean_prompt_name(name) != row.name])


def archive_prompts(*, actor: Actor, prompts: QuerySet[Prompt]) -> int:
    """Archive prompts; returns how many were not archived before."""
    return sum(_archive(actor, row) for row in _locked(prompts))


def restore_prompts(*, actor: Actor, prompts: QuerySet[Prompt]) -> int:
    """Take prompts out of the archive; returns how many were in it."""
    return sum(_restore(actor, row) for row in _locked(prompts))


def _locked(prompts: QuerySet[Prompt]) -> list[Prompt]:
    """The rows, locked in the order of their ids so that two changes of many can't deadlock."""
    ids = sorted(prompts.order_by().values_list("pk", flat=True)[: MOST_AT_ONCE + 1])
    if len(ids) > MOST_AT_ONCE:
        message = f"At most {MOST_AT_ONCE:,} prompts can be changed at once. Narrow the list first."
        raise InvalidRequest(message, code="too_many_prompts", param="filter")
    return list(Prompt.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk"))


def _rename(actor: Actor, moves: Sequence[tuple[Prompt, str]]) -> int:
    _refuse(_taken(moves), *_taken_words(moves))
    try:
        with transaction.atomic():
            return sum(_change(actor, prompt, "prompt.renamed", name=name) for prompt, name in moves)
    except IntegrityError:
        raise Conflict(
            "One of the names was taken meanwhile.", code="prompt_name_taken", param="name"
        ) from None


def _taken(moves: Sequence[tuple[Prompt, str]]) -> list[str]:
    """Of the new names those that another prompt has, or that two of the prompts would get."""
    if not moves:
        return []
    names = Counter(name for _, name in moves)
    others = Prompt.objects.filter(project_id=moves[0][0].project_id, name__in=list(names))
    others = others.exclude(pk__in=[prompt.pk for prompt, _ in moves])
    taken = set(others.values_list("name", flat=True))
    return sorted(taken | {name for name, count in names.items() if count > 1})


def _taken_words(moves: Sequence[tuple[Prompt, str]]) -> tuple[str, str, str]:
    if len(moves) == 1:
        return "prompt_name_taken", "is the name of a prompt in this project already", "name"
    return "prompt_names_taken", "would be the name of two prompts", "folder"


def _refuse(names: Sequence[str], code: str, why: str, param: str) -> None:
    if not names:
        return
    shown = ", ".join(f"“{name}”" for name in names[:CONFLICTS_NAMED])
    rest = len(names) - CONFLICTS_NAMED
    more = f" and {rest:,} more" if rest > 0 else ""
    message = f"Nothing was changed: {shown}{more} {why}."
    raise Conflict(message, code=code, param=param, conflicts=list(names[:CONFLICTS_NAMED]))


def _archive(actor: Actor, prompt: Prompt) -> bool:
    if prompt.archived_at is not None:
        return False
    values = {"archived_at": timezone.now(), "archived_by": actor.display[:254]}
    return _change(actor, prompt, "prompt.archived", **values)


def _restore(actor: Actor, prompt: Prompt) -> bool:
    return _change(actor, prompt, "prompt.restored", archived_at=None, archived_by="")


def _change(actor: Actor, prompt: Prompt, action: str, **values: Any) -> bool:
    """Store what differs, with audit, change feed and outbox; False where nothing does."""
    differing = {field: value for field, value in values.items() if getattr(prompt, field) != value}
    if not differing:
        return False
    before = {field: getattr(prompt, field) for field in differing}
    for field, value in differing.items():
        setattr(prompt, field, value)
    prompt.save(update_fields=list(differing))
    audit.record(
        actor=actor,
        action=action,
        target=prompt,
        organization_id=prompt.organization_id,
        changes={field: (before[field], value) for field, value in differing.items()},
    )
    payload = {"prompt_id": prompt.public_id, "prompt": prompt.name}
    if "name" in before:
        payload["previous_prompt"] = before["name"]
    changes.append("prompt", str(prompt.pk))
    outbox.write(action, payload, prompt.organization_id)
    return True

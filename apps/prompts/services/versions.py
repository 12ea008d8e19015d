"""Making prompts and publishing their versions."""

from collections.abc import Iterable
from dataclasses import asdict

from django.db import IntegrityError, transaction

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import changes, ids, outbox
from apps.core.errors import Conflict, InvalidRequest
from apps.prompts import queries
from apps.prompts.content import clean_content, content_hash
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.names import clean_prompt_name, clean_tags
from apps.prompts.services.common import (
    MAX_DESCRIPTION,
    MAX_MESSAGE,
    author_of,
    copy_state,
    lock_prompt,
    mark_changed,
    short_text,
)
from apps.prompts.types import VersionContent
from apps.tenants.models import Project


def create_prompt(
    *,
    actor: Actor,
    project: Project,
    name: str,
    kind: str,
    description: str = "",
    tags: Iterable[str] = (),
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
        description=short_text(description, MAX_DESCRIPTION, "description"),
        tags=clean_tags(tags),
    )
    _insert(prompt)
    audit.record(
        actor=actor,
        action="prompt.created",
        target=prompt,
        organization_id=prompt.organization_id,
        changes={"name": (None, prompt.name), "kind": (None, kind)},
    )
    add_version(actor, prompt, cleaned, message)
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
    ``version_stale`` carries that one's number and content, and nothing is lost. Raises Conflict
    ``version_unchanged`` for the newest version's content and ``prompt_archived``, InvalidRequest for content
    that is not allowed.
    """
    cleaned = clean_content(prompt.kind, content)
    locked = lock_prompt(prompt)
    _refuse_archived(locked)
    if base_number is not None and base_number != locked.latest_number:
        raise Conflict(
            f"Version {locked.latest_number} was saved meanwhile; yours began from version {base_number}.",
            code="version_stale",
            param="base_version",
            latest_number=locked.latest_number,
            latest_content=asdict(queries.version_content(queries.latest_version(locked))),
        )
    if queries.latest_version(locked).content_hash == content_hash(cleaned):
        raise Conflict(
            f"Nothing differs from version {locked.latest_number}.",
            code="version_unchanged",
            param="messages",
            latest_number=locked.latest_number,
        )
    version = add_version(actor, locked, cleaned, message)
    copy_state(locked, prompt)
    return version


def restore_version(
    *, actor: Actor, prompt: Prompt, number: int, message: str = "", base_number: int | None = None
) -> PromptVersion:
    """A new version with the content of an older one. No label moves.

    Raises NotFound ``version_not_found``, otherwise what ``publish_version`` raises.
    """
    return publish_version(
        actor=actor,
        prompt=prompt,
        content=queries.version_content(queries.get_version(prompt, number)),
        message=message or restore_message(number),
        base_number=base_number,
    )


def restore_message(number: int) -> str:
    """What a restored version says of itself when its author says nothing."""
    return f"Restored from v{number}"


def _refuse_archived(prompt: Prompt) -> None:
    if prompt.archived_at is not None:
        message = f"The prompt '{prompt.name}' is archived. Take it out of the archive to save a version."
        raise Conflict(message, code="prompt_archived")


def _insert(prompt: Prompt) -> None:
    try:
        with transaction.atomic():
            prompt.save(force_insert=True)
    except IntegrityError:
        message = f"There is a prompt '{prompt.name}' in this project already."
        raise Conflict(message, code="prompt_name_taken", param="name") from None


def add_version(actor: Actor, prompt: Prompt, content: VersionContent, message: str) -> PromptVersion:
    version = PromptVersion(
        organization_id=prompt.organization_id,
        prompt=prompt,
        number=prompt.latest_number + 1,
        messages=list(content.messages),
        variables=list(content.variables),
        model=content.model,
        parameters=content.parameters,
        output_schema=content.output_schema,
        tools=list(content.tools),
        message=short_text(message, MAX_MESSAGE, "message"),
        content_hash=content_hash(content),
        **author_of(actor),
    )
    version.save(force_insert=True)
    prompt.latest_number = version.number
    mark_changed(actor, prompt, version.created_at)
    audit.record(
        actor=actor,
        action="prompt_version.published",
        # The prompt, not the version: its trail tells who changed it, and from which version on.
        target=prompt,
        organization_id=prompt.organization_id,
        changes={
            "version": (version.number - 1 or None, version.number),
            "content_hash": (None, version.content_hash),
            "message": (None, version.message),
        },
    )
    payload = {
        "prompt_id": prompt.public_id,
        "prompt": prompt.name,
        "version_id": version.public_id,
        "version": version.number,
        "project_id": ids.encode("prj", prompt.project_id),
        "actor": actor.told(),
    }
    changes.append("prompt", str(prompt.pk))
    outbox.write("prompt.version.created", payload, prompt.organization_id)
    return version

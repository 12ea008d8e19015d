"""What the API shows of prompts, and what it takes. The room's own rules are checked by its services."""

from dataclasses import asdict
from typing import Any, Final

from rest_framework import serializers

from apps.core import ids
from apps.prompts.content import MAX_MESSAGES
from apps.prompts.diffing import Section
from apps.prompts.library import LONGEST_SEARCH, Archived, Where
from apps.prompts.models import AuthoredModel, Label, LabelMove, Prompt, PromptVersion
from apps.prompts.names import MAX_NAME, MAX_TAG
from apps.prompts.rendering import VARIABLE_TYPES
from apps.prompts.types import ROLES, VersionContent
from apps.tenants.models import APIKey, User

SEARCH_IN: Final = {"names": Where.NAMES, "newest": Where.NEWEST, "every": Where.EVERY}
ARCHIVED: Final = {"false": Archived.NO, "true": Archived.ONLY, "any": Archived.ALSO}


class MessageSerializer(serializers.Serializer[Any]):
    """One message; its content is a template."""

    role = serializers.ChoiceField(choices=ROLES)
    content = serializers.CharField(allow_blank=True, trim_whitespace=False)


class VariableSerializer(serializers.Serializer[Any]):
    """A declared variable. Variables that a template reads and nobody declares become required texts."""

    name = serializers.CharField()
    type = serializers.ChoiceField(choices=VARIABLE_TYPES, default="text")
    required = serializers.BooleanField(  # type: ignore[assignment]
        required=False, help_text="True without a default, else false."
    )
    default = serializers.JSONField(required=False, allow_null=True)
    sample = serializers.JSONField(
        required=False, allow_null=True, help_text="Fills previews and first calls; nothing runs with it."
    )


class ContentSerializer(serializers.Serializer[Any]):
    """What a version holds."""

    messages: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=MessageSerializer(), min_length=1, max_length=MAX_MESSAGES
    )
    variables = VariableSerializer(many=True, default=[])
    model = serializers.CharField(
        allow_blank=True, default="", max_length=255, help_text="connection/model, as in sandbox/standard."
    )
    parameters = serializers.DictField(default={}, help_text="temperature, top_p, max_tokens, stop, …")
    output_schema = serializers.DictField(
        allow_null=True, default=None, help_text="A JSON Schema that answers must fit."
    )
    tools = serializers.ListField(
        child=serializers.DictField(),
        default=[],
        help_text='Functions that the model may call: {"type": "function", "function": {"name", …}}.',
    )


class AuthorSerializer(serializers.Serializer[Any]):
    """Who wrote it."""

    kind = serializers.CharField(help_text="user, api_key, system or staff")
    id = serializers.CharField(allow_null=True)
    name = serializers.CharField()


class VersionSerializer(ContentSerializer):
    """An immutable version of a prompt."""

    id = serializers.CharField()
    object = serializers.CharField(default="prompt_version")
    prompt = serializers.CharField()
    version = serializers.IntegerField()
    message = serializers.CharField(help_text="What changed, in the author's words.")
    author = AuthorSerializer()
    content_hash = serializers.CharField()
    created_at = serializers.DateTimeField()


class PromptSerializer(serializers.Serializer[Any]):
    """A prompt with its labels; ``version`` is there when one was asked for."""

    id = serializers.CharField()
    object = serializers.CharField(default="prompt")
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=Prompt.Kind.choices)
    description = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField())
    latest_version = serializers.IntegerField()
    labels = serializers.DictField(child=serializers.IntegerField(), help_text="Label to version number.")
    archived_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    changed_at = serializers.DateTimeField()
    changed_by = serializers.CharField()
    version = VersionSerializer(required=False)


class NewPromptSerializer(ContentSerializer):
    """A prompt to be made, with its first version."""

    name = serializers.CharField(max_length=255, help_text="A slash makes folders.")
    kind = serializers.ChoiceField(choices=Prompt.Kind.choices, default="chat")
    description = serializers.CharField(allow_blank=True, default="", max_length=500)
    tags = serializers.ListField(child=serializers.CharField(), default=[])
    message = serializers.CharField(allow_blank=True, default="", max_length=500)


class PromptChangeSerializer(serializers.Serializer[Any]):
    """What to change of a prompt; what is left out stays."""

    name = serializers.CharField(
        required=False, max_length=255, help_text="The old name answers 404 from then on; the id stays."
    )
    description = serializers.CharField(required=False, allow_blank=True, max_length=500)
    tags = serializers.ListField(child=serializers.CharField(), required=False)
    archived = serializers.BooleanField(
        required=False, help_text="An archived prompt is served as before and takes no new versions."
    )


class RestoreVersionSerializer(serializers.Serializer[Any]):
    """A version to be saved again as the newest."""

    message = serializers.CharField(allow_blank=True, default="", max_length=500)
    base_version = serializers.IntegerField(
        allow_null=True, default=None, help_text="The newest version you know; 409 when there is a newer one."
    )


class PromptFilterSerializer(serializers.Serializer[Any]):
    """Which prompts: all that match everything given."""

    search = serializers.CharField(allow_blank=True, default="", max_length=LONGEST_SEARCH)
    search_in = serializers.ChoiceField(choices=list(SEARCH_IN), default="names")
    label = serializers.CharField(allow_blank=True, default="", max_length=36)  # type: ignore[assignment]
    tag = serializers.CharField(allow_blank=True, default="", max_length=MAX_TAG)
    folder = serializers.CharField(allow_blank=True, default="", max_length=MAX_NAME)
    archived = serializers.ChoiceField(choices=list(ARCHIVED), default="false")


class BulkSerializer(serializers.Serializer[Any]):
    """One change of many prompts, named by ``ids`` or by ``filter``; all of them or none."""

    action = serializers.ChoiceField(choices=["tag", "move", "archive", "restore"])
    ids = serializers.ListField(child=serializers.CharField(), required=False, min_length=1, max_length=2000)
    filter = PromptFilterSerializer(required=False)
    add = serializers.ListField(child=serializers.CharField(), default=[], help_text="Tags, for tag.")
    remove = serializers.ListField(child=serializers.CharField(), default=[], help_text="Tags, for tag.")
    folder = serializers.CharField(
        allow_blank=True, default="", max_length=MAX_NAME, help_text="For move; empty is the top."
    )
    expected_count = serializers.IntegerField(
        required=False, min_value=0, help_text="How many you believe match; 409 when it is another number."
    )
    dry_run = serializers.BooleanField(default=False, help_text="Find conflicts and counts, change nothing.")


class BulkResultSerializer(serializers.Serializer[Any]):
    """What a change of many did, or would do."""

    object = serializers.CharField(default="bulk_result")
    action = serializers.CharField()
    dry_run = serializers.BooleanField()
    matched = serializers.IntegerField()
    changed = serializers.IntegerField(help_text="Those that were not as wanted before.")


class NewVersionSerializer(ContentSerializer):
    """A version to be saved."""

    message = serializers.CharField(allow_blank=True, default="", max_length=500)
    base_version = serializers.IntegerField(
        allow_null=True, default=None, help_text="The version you began from; 409 when it is not the newest."
    )


class LabelSerializer(serializers.Serializer[Any]):
    """A label and the version it points at."""

    id = serializers.CharField()
    object = serializers.CharField(default="label")
    prompt = serializers.CharField()
    name = serializers.CharField()
    version = serializers.IntegerField()
    moved_at = serializers.DateTimeField()
    moved_by = serializers.CharField()


class RollbackSerializer(serializers.Serializer[Any]):
    """A rollback of a label."""

    expected_version = serializers.IntegerField(
        min_value=1,
        max_value=999_999_999,
        required=False,
        allow_null=True,
        help_text="Where you believe the label is; 409 when it is elsewhere.",
    )
    reason = serializers.CharField(allow_blank=True, default="", max_length=200)


class MoveSerializer(RollbackSerializer):
    """A move of a label. ``expected_version`` null means that the label must not exist yet."""

    version = serializers.IntegerField(min_value=-(2**63), max_value=2**63)


class LabelMoveSerializer(serializers.Serializer[Any]):
    """One step in a label's history; null stands for "no version"."""

    id = serializers.CharField()
    object = serializers.CharField(default="label_move")
    prompt = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    kind = serializers.CharField(help_text="move, rollback or remove")
    from_version = serializers.IntegerField(allow_null=True)
    to_version = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField()
    author = AuthorSerializer()
    created_at = serializers.DateTimeField()


class DiffSectionSerializer(serializers.Serializer[Any]):
    """One part of two versions, compared by line; ``rows`` is empty for an unchanged part."""

    key = serializers.CharField()
    title = serializers.CharField()
    added = serializers.IntegerField()
    removed = serializers.IntegerField()
    rows = serializers.ListField(child=serializers.DictField())


class DiffSerializer(serializers.Serializer[Any]):
    """Two versions, compared."""

    object = serializers.CharField(default="diff")
    prompt = serializers.CharField()
    from_version = serializers.IntegerField()
    to_version = serializers.IntegerField()
    sections = DiffSectionSerializer(many=True)


def content_of(given: dict[str, Any]) -> VersionContent:
    """The content part of a validated body."""
    return VersionContent(
        messages=tuple(dict(message) for message in given["messages"]),
        variables=tuple(dict(variable) for variable in given["variables"]),
        model=given["model"],
        parameters=dict(given["parameters"]),
        output_schema=given["output_schema"],
        tools=tuple(given["tools"]),
    )


def prompt_body(
    prompt: Prompt, labels: dict[str, int], version: PromptVersion | None = None
) -> dict[str, Any]:
    """A prompt as the API shows it."""
    body = {
        "id": prompt.public_id,
        "object": "prompt",
        "name": prompt.name,
        "kind": prompt.kind,
        "description": prompt.description,
        "tags": prompt.tags,
        "latest_version": prompt.latest_number,
        "labels": labels,
        "archived_at": prompt.archived_at,
        "created_at": prompt.created_at,
        "changed_at": prompt.changed_at,
        "changed_by": prompt.changed_by,
    }
    return body if version is None else {**body, "version": version_body(version)}


def version_body(version: PromptVersion) -> dict[str, Any]:
    """A version as the API shows it."""
    return {
        "id": version.public_id,
        "object": "prompt_version",
        "prompt": ids.encode(Prompt.PREFIX, version.prompt_id),
        "version": version.number,
        "messages": version.messages,
        "variables": version.variables,
        "model": version.model,
        "parameters": version.parameters,
        "output_schema": version.output_schema,
        "tools": version.tools,
        "message": version.message,
        "author": author_body(version),
        "content_hash": version.content_hash,
        "created_at": version.created_at,
    }


def label_body(label: Label) -> dict[str, Any]:
    """A label as the API shows it."""
    return {
        "id": label.public_id,
        "object": "label",
        "prompt": ids.encode(Prompt.PREFIX, label.prompt_id),
        "name": label.name,
        "version": label.version.number,
        "moved_at": label.moved_at,
        "moved_by": label.moved_by,
    }


def move_body(move: LabelMove) -> dict[str, Any]:
    """A step of a label as the API shows it."""
    return {
        "id": move.public_id,
        "object": "label_move",
        "prompt": ids.encode(Prompt.PREFIX, move.prompt_id),
        "label": move.label,
        "kind": move.kind,
        "from_version": move.from_number,
        "to_version": move.to_number,
        "reason": move.reason,
        "author": author_body(move),
        "created_at": move.created_at,
    }


def author_body(row: AuthoredModel) -> dict[str, Any]:
    """Who wrote a version or moved a label."""
    prefix = {"user": User.PREFIX, "staff": User.PREFIX, "api_key": APIKey.PREFIX}.get(row.author_kind)
    shown = ids.encode(prefix, row.author_id) if prefix and row.author_id else None
    return {"kind": row.author_kind, "id": shown, "name": row.author_name}


def section_body(section: Section) -> dict[str, Any]:
    """A compared part as the API shows it."""
    return {
        "key": section.key,
        "title": section.title,
        "added": section.added,
        "removed": section.removed,
        "rows": [] if section.unchanged else [asdict(row) for row in section.rows],
    }

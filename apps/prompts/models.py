"""Prompts, their immutable versions, labels that point at versions, and where labels have pointed."""

from typing import ClassVar, Final
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from guardian.models import UserObjectPermissionBase

from apps.core.models import TenantModel
from apps.tenants.models import User
from apps.tenants.roles import Permission

# What may be given to a member on one prompt, on top of the role.
GRANTABLE: Final = (Permission.PROMPTS_VIEW, Permission.PROMPTS_EDIT, Permission.PROMPTS_RELEASE)


class Prompt(TenantModel):
    """A named prompt of one project. Its row is locked by every writer, so numbers have no gaps.

    `latest_number` is the newest version's number. `changed_at` and `changed_by` tell of the last version or
    label move, so that lists need no look into versions.
    """

    PREFIX: ClassVar[str] = "prm"

    class Kind(models.TextChoices):
        TEXT = "text", "Text"
        CHAT = "chat", "Chat"

    project = models.ForeignKey("tenants.Project", on_delete=models.CASCADE, db_index=False, related_name="+")
    project_id: UUID
    name = models.CharField(max_length=255)
    kind = models.CharField(max_length=4, choices=Kind.choices)
    description = models.CharField(max_length=500, blank=True)
    latest_number = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now_add=True)
    changed_by = models.CharField(max_length=254, blank=True)
    tags = ArrayField(models.CharField(max_length=50), default=list, db_default=[], blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    archived_by = models.CharField(max_length=254, blank=True, db_default="")

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "project", "name"], name="prompt_name"),
            models.UniqueConstraint(fields=["organization", "id"], name="prompt_organization_id"),
        ]
        indexes = [
            models.Index(fields=["organization", "project", "-id"], name="prompt_list"),
            models.Index(fields=["organization", "project", "-changed_at", "-id"], name="prompt_changed"),
        ]
        permissions = [(permission.value, f"May {permission.value}") for permission in GRANTABLE]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.name


class AuthoredModel(models.Model):
    """Who wrote a row, by value: people and keys may go, the history stays."""

    author_kind = models.CharField(max_length=10)
    author_id = models.UUIDField(null=True, blank=True)
    author_name = models.CharField(max_length=254, blank=True)

    class Meta:
        abstract = True


class PromptVersion(AuthoredModel, TenantModel):
    """One immutable state of a prompt; numbers are gapless from 1. The database grants no UPDATE.

    The JSON columns have the forms of ``types.VersionContent``. `content_hash` is the SHA-256 of the content
    without message and author.
    """

    PREFIX: ClassVar[str] = "prv"

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, db_index=False, related_name="versions")
    prompt_id: UUID
    number = models.PositiveIntegerField()
    messages = models.JSONField()
    variables = models.JSONField(default=list)
    model = models.CharField(max_length=255, blank=True)
    parameters = models.JSONField(default=dict)
    output_schema = models.JSONField(null=True, blank=True)
    tools = models.JSONField(default=list, db_default=[], blank=True)
    message = models.CharField(max_length=500, blank=True)
    content_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "prompt", "number"], name="version_number"),
            # The target of the labels' composite key: a label's version is one of its own prompt.
            models.UniqueConstraint(fields=["organization", "prompt", "id"], name="version_of_prompt"),
            models.CheckConstraint(condition=models.Q(number__gte=1), name="version_number_positive"),
        ]

    def __str__(self) -> str:
        return f"v{self.number}"


class ServingPolicy(TenantModel):
    """How a prompt is served, beside its versions: guardrails, caches, calls, limits.

    Without prompt it is the project's default, which also holds for plain models. A section that is NULL is
    the default's; `serving.parse_rules` gives their forms. `revision` counts the changes, so that nobody
    overwrites what they haven't seen.
    """

    PREFIX: ClassVar[str] = "srv"

    project = models.ForeignKey("tenants.Project", on_delete=models.CASCADE, db_index=False, related_name="+")
    project_id: UUID
    prompt = models.ForeignKey(
        Prompt, null=True, blank=True, on_delete=models.CASCADE, db_index=False, related_name="+"
    )
    prompt_id: UUID | None
    guardrails = models.JSONField(null=True, blank=True)
    cache = models.JSONField(null=True, blank=True)
    calls = models.JSONField(null=True, blank=True)
    limits = models.JSONField(null=True, blank=True)
    revision = models.PositiveIntegerField(default=1)
    changed_at = models.DateTimeField(auto_now=True)
    changed_by = models.CharField(max_length=254, blank=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "project", "prompt"], name="serving_of_prompt"),
            models.UniqueConstraint(
                fields=["organization", "project"],
                name="serving_of_project",
                condition=models.Q(prompt__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"serving of {self.prompt_id or self.project_id}"


class Label(TenantModel):
    """A movable pointer from a name such as production to a version of the same prompt."""

    PREFIX: ClassVar[str] = "lbl"

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, db_index=False, related_name="labels")
    prompt_id: UUID
    name = models.CharField(max_length=36)
    version = models.ForeignKey(
        PromptVersion, on_delete=models.PROTECT, db_index=False, related_name="labels"
    )
    version_id: UUID
    created_at = models.DateTimeField(auto_now_add=True)
    moved_at = models.DateTimeField(auto_now_add=True)
    moved_by = models.CharField(max_length=254, blank=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "prompt", "name"], name="label_name"),
        ]
        indexes = [models.Index(fields=["organization", "prompt", "version"], name="label_version")]

    def __str__(self) -> str:
        return self.name


class LabelMove(AuthoredModel, TenantModel):
    """One step of a label: from a version to a version; None is "no version". Append-only.

    `sequence` counts a label's steps from 1 without gaps, so the history is one line.
    """

    PREFIX: ClassVar[str] = "lbm"

    class Kind(models.TextChoices):
        MOVE = "move", "Moved"
        ROLLBACK = "rollback", "Rolled back"
        REMOVE = "remove", "Removed"

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, db_index=False, related_name="label_moves")
    prompt_id: UUID
    label = models.CharField(max_length=36)
    sequence = models.PositiveIntegerField()
    kind = models.CharField(max_length=8, choices=Kind.choices)
    from_number = models.PositiveIntegerField(null=True, blank=True)
    to_number = models.PositiveIntegerField(null=True, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "prompt", "label", "sequence"], name="label_move_sequence"
            ),
        ]
        indexes = [models.Index(fields=["organization", "prompt", "-id"], name="label_move_list")]

    def __str__(self) -> str:
        return f"{self.label}: {self.from_number} → {self.to_number}"


class Draft(TenantModel):
    """What one user has typed into the editor of a prompt and not yet saved as a version.

    `content` is the form as it was typed, valid or not. `revision` counts the saves, so that a second browser
    can't overwrite what it hasn't seen; `base_number` is the version that the editing began from.
    """

    PREFIX: ClassVar[str] = "drf"

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, db_index=False, related_name="+")
    prompt_id: UUID
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    user_id: UUID
    base_number = models.PositiveIntegerField()
    revision = models.PositiveIntegerField(default=1)
    content = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "prompt", "user"], name="draft_of_user"),
        ]
        indexes = [models.Index(fields=["organization", "user", "-updated_at"], name="draft_list")]

    def __str__(self) -> str:
        return f"draft of {self.prompt_id}"


class PromptUserObjectPermission(TenantModel, UserObjectPermissionBase):  # type: ignore[misc]
    """A permission given to one member on one prompt, on top of the role.

    Like the project's twin in tenants: written by our services only, since guardian knows no organization.
    """

    content_object = models.ForeignKey(Prompt, on_delete=models.CASCADE, db_index=False, related_name="+")
    content_object_id: UUID

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "user", "content_object", "permission"],
                name="prompt_user_permission",
            )
        ]
        indexes = [models.Index(fields=["organization", "content_object"], name="prompt_permission_object")]

    def __str__(self) -> str:
        return f"{self.user_id} on {self.content_object_id}"

"""Prompts for staff: names and numbers. What customers wrote stays hidden."""

from django.contrib import admin

from apps.core.admin import ReadOnlyAdmin
from apps.prompts.models import (
    Label,
    LabelMove,
    Prompt,
    PromptUserObjectPermission,
    PromptVersion,
    ServingPolicy,
)


@admin.register(Prompt)
class PromptAdmin(ReadOnlyAdmin):
    """Prompts of every organization."""

    list_display = ("name", "organization", "project", "kind", "latest_number", "changed_at")
    list_select_related = ("organization", "project")
    list_filter = ("kind", ("archived_at", admin.EmptyFieldListFilter), "changed_at")
    search_fields = ("name", "=organization__slug")
    ordering = ("-id",)


@admin.register(PromptVersion)
class PromptVersionAdmin(ReadOnlyAdmin):
    """Versions, without their content."""

    content_fields = ("messages", "variables", "parameters", "output_schema", "tools", "message")
    list_display = ("prompt", "number", "model", "author_name", "created_at")
    list_filter = ("created_at",)
    list_select_related = ("prompt",)
    search_fields = ("prompt__name", "=model", "=organization__slug")
    search_ids = ("prompt_id",)
    ordering = ("-id",)


@admin.register(Label)
class LabelAdmin(ReadOnlyAdmin):
    """Where labels point."""

    list_display = ("name", "prompt", "version", "moved_by", "moved_at")
    list_filter = ("moved_at",)
    list_select_related = ("prompt", "version")
    search_fields = ("=name", "prompt__name", "=organization__slug")
    search_ids = ("prompt_id",)
    ordering = ("-id",)


@admin.register(LabelMove)
class LabelMoveAdmin(ReadOnlyAdmin):
    """Where labels have pointed, without the reasons that customers gave."""

    content_fields = ("reason",)
    list_display = ("label", "prompt", "kind", "from_number", "to_number", "author_name", "created_at")
    list_filter = ("kind", "created_at")
    list_select_related = ("prompt",)
    search_fields = ("prompt__name", "=organization__slug")
    search_ids = ("prompt_id",)
    ordering = ("-id",)


@admin.register(ServingPolicy)
class ServingPolicyAdmin(ReadOnlyAdmin):
    """How prompts and projects are served; guardrails hold customers' own words."""

    content_fields = ("guardrails",)
    list_display = ("project", "prompt", "revision", "changed_by", "changed_at")
    list_filter = ("changed_at",)
    list_select_related = ("project", "prompt")
    search_fields = ("prompt__name", "project__name", "=organization__slug")
    search_ids = ("prompt_id", "project_id")
    ordering = ("-id",)


@admin.register(PromptUserObjectPermission)
class PromptUserObjectPermissionAdmin(ReadOnlyAdmin):
    """Permissions given to one member on one prompt."""

    list_display = ("user", "permission", "content_object", "organization")
    list_select_related = ("user", "permission__content_type", "content_object", "organization")
    search_fields = ("user__email", "content_object__name", "=organization__slug")
    search_ids = ("user_id", "content_object_id")
    ordering = ("-id",)

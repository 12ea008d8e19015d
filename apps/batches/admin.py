"""Batches for staff: numbers and states, never content."""

from contextlib import suppress

from django.contrib import admin
from django.http import HttpRequest

from apps.batches import services
from apps.batches.models import BatchItem, BatchJob, BatchVariant, Pump
from apps.batches.openai_models import OpenAIAnswer, OpenAIBatch, OpenAIFile
from apps.batches.preparation_models import RowPreparation
from apps.batches.provider_models import ProviderBatch
from apps.batches.scale_models import ScaleTest, ScaleTestStep
from apps.batches.stream_models import Stream
from apps.core.admin import ReadOnlyAdmin
from apps.core.errors import Conflict
from apps.core.scope import organization_scope
from apps.tenants.admin import staff_actor


@admin.register(BatchJob)
class BatchJobAdmin(ReadOnlyAdmin):
    """Jobs of every organization; staff can stop one."""

    list_display = (
        "public_id",
        "organization",
        "status",
        "total",
        "pending",
        "running",
        "succeeded",
        "failed",
        "cancelled",
        "created_at",
    )
    list_select_related = ("organization",)
    list_filter = ("status", "stop_reason", "pause_reason", "priority", "sandbox")
    search_fields = ("=organization__slug",)
    ordering = ("-id",)
    content_fields = ("metadata", "problem", "started_by_name")
    actions = ("stop",)

    @admin.action(description="Stop", permissions=["operate"])
    def stop(self, request: HttpRequest, rows: list[BatchJob]) -> None:
        """Stop the selected jobs; those that have ended stay as they are."""
        for job in rows:
            with suppress(Conflict), organization_scope(job.organization_id):
                services.cancel_batch(actor=staff_actor(request), job=job)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Acting takes the change permission; looking doesn't give it."""
        return request.user.has_perm("batches.change_batchjob")


@admin.register(BatchItem)
class BatchItemAdmin(ReadOnlyAdmin):
    """Rows with their leases; outputs stay hidden."""

    list_display = ("public_id", "batch_id", "number", "status", "round", "attempts", "lease_expires_at")
    list_filter = ("status",)
    search_ids = ("batch_id", "run_id")
    ordering = ("-id",)
    # A provider's message may quote what was sent.
    content_fields = ("output", "parsed", "error_message")


@admin.register(BatchVariant)
class BatchVariantAdmin(ReadOnlyAdmin):
    """What runs over the rows of jobs that compare."""

    list_display = ("public_id", "batch_id", "position", "version_number", "model", "succeeded", "failed")
    search_ids = ("batch_id",)
    ordering = ("-id",)


@admin.register(OpenAIFile)
class OpenAIFileAdmin(ReadOnlyAdmin):
    """Files of `/v1/files`; names and contents stay hidden."""

    list_display = ("public_id", "organization", "purpose", "size", "created_at", "expires_at")
    list_select_related = ("organization",)
    list_filter = ("purpose",)
    search_fields = ("=organization__slug",)
    ordering = ("-id",)
    content_fields = ("name",)


@admin.register(OpenAIBatch)
class OpenAIBatchAdmin(ReadOnlyAdmin):
    """Batches of `/v1/batches`; the job of the same id has their counts."""

    list_display = ("public_id", "organization", "endpoint", "status", "failures", "created_at", "ended_at")
    list_select_related = ("organization",)
    list_filter = ("status", "endpoint")
    search_fields = ("=organization__slug",)
    ordering = ("-id",)
    content_fields = ("metadata", "errors", "started_by_name")


@admin.register(OpenAIAnswer)
class OpenAIAnswerAdmin(ReadOnlyAdmin):
    """Answers that wait to be written to a file; their bodies stay hidden."""

    list_display = ("id", "batch_id", "number", "status_code", "run_id")
    search_ids = ("batch_id", "run_id")
    ordering = ("-id",)
    content_fields = ("body",)


@admin.register(RowPreparation)
class RowPreparationAdmin(ReadOnlyAdmin):
    """Rows that were taken for batches: how many, and how far."""

    list_display = ("public_id", "organization", "state", "rows", "left_out", "failures", "created_at")
    list_select_related = ("organization",)
    list_filter = ("state", "created_at")
    search_fields = ("=organization__slug",)
    ordering = ("-id",)
    content_fields = ("source", "options", "problem", "started_by_name")


@admin.register(Stream)
class StreamAdmin(ReadOnlyAdmin):
    """Streams of every organization."""

    list_display = ("public_id", "organization", "name", "livemode", "created_at", "closed_at")
    list_select_related = ("organization",)
    search_fields = ("=organization__slug", "=name")
    ordering = ("-id",)
    content_fields = ("options",)


@admin.register(ProviderBatch)
class ProviderBatchAdmin(ReadOnlyAdmin):
    """What lies at providers, and the step that is due."""

    list_display = (
        "public_id",
        "organization",
        "batch_id",
        "state",
        "requests",
        "recorded",
        "attempts",
        "error_code",
        "next_step_at",
        "created_at",
    )
    list_select_related = ("organization",)
    list_filter = ("state",)
    search_fields = ("=organization__slug", "=external_id")
    search_ids = ("batch_id",)
    ordering = ("-id",)


@admin.register(ScaleTest)
class ScaleTestAdmin(ReadOnlyAdmin):
    """Scale tests of every organization; their batches can be stopped."""

    list_display = ("public_id", "organization", "status", "concurrency", "created_at", "completed_at")
    list_select_related = ("organization",)
    list_filter = ("status", "sandbox")
    search_fields = ("=organization__slug",)
    ordering = ("-id",)
    content_fields = ("problem", "started_by_name")


@admin.register(ScaleTestStep)
class ScaleTestStepAdmin(ReadOnlyAdmin):
    """What each step showed."""

    list_display = ("public_id", "scale_test_id", "rows", "status", "succeeded", "failed", "seconds")
    list_filter = ("status",)
    search_ids = ("scale_test_id", "batch_id")
    ordering = ("-id",)


@admin.register(Pump)
class PumpAdmin(ReadOnlyAdmin):
    """What is rung or running."""

    list_display = ("id", "process", "slots", "rung_at", "started_at", "expires_at")
    ordering = ("-id",)

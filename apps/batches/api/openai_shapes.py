"""OpenAI's file and batch objects, and the bodies that ask for them; times in Unix seconds."""

from datetime import datetime
from typing import Any, Final

from rest_framework import serializers

from apps.batches.models import BatchJob
from apps.batches.openai.standing import standing
from apps.batches.openai_models import Endpoint, FilePurpose, OpenAIBatch, OpenAIBatchStatus, OpenAIFile

LEAST_SECONDS: Final = 3_600
MOST_SECONDS: Final = 2_592_000
METADATA_PAIRS: Final = 16
METADATA_KEY_LENGTH: Final = 64
METADATA_VALUE_LENGTH: Final = 512
STATUSES: Final = (
    *("validating", "failed", "in_progress", "finalizing"),
    *("completed", "expired", "cancelling", "cancelled"),
)


class ExpiresAfterSerializer(serializers.Serializer[Any]):
    """How long a file is kept, from when it was made."""

    anchor = serializers.ChoiceField(choices=["created_at"])
    seconds = serializers.IntegerField(min_value=LEAST_SECONDS, max_value=MOST_SECONDS)


class KeptSerializer(serializers.Serializer[Any]):
    """What the form of an upload says of how long the file is kept."""

    expires_after = ExpiresAfterSerializer()


class CreateOpenAIBatchSerializer(serializers.Serializer[Any]):
    """What a batch is asked for with."""

    input_file_id = serializers.CharField(help_text="A file of the purpose `batch`.")
    endpoint = serializers.ChoiceField(choices=Endpoint.values)
    completion_window = serializers.ChoiceField(choices=["24h"])
    metadata = serializers.DictField(
        child=serializers.CharField(max_length=METADATA_VALUE_LENGTH, allow_blank=True),
        required=False,
        allow_null=True,
        help_text=f"At most {METADATA_PAIRS} pairs; a key has at most {METADATA_KEY_LENGTH} characters.",
    )
    output_expires_after = ExpiresAfterSerializer(required=False, allow_null=True)

    def validate_metadata(self, value: dict[str, str] | None) -> dict[str, str] | None:
        """OpenAI's limits."""
        if value and len(value) > METADATA_PAIRS:
            raise serializers.ValidationError(f"metadata has at most {METADATA_PAIRS} pairs.")
        if value and any(len(key) > METADATA_KEY_LENGTH for key in value):
            raise serializers.ValidationError(f"A key has at most {METADATA_KEY_LENGTH} characters.")
        return value


class OpenAIFileSerializer(serializers.Serializer[Any]):
    """A file."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["file"])
    bytes = serializers.IntegerField(min_value=0)
    created_at = serializers.IntegerField()
    expires_at = serializers.IntegerField()
    filename = serializers.CharField()
    purpose = serializers.ChoiceField(choices=FilePurpose.values)
    status = serializers.ChoiceField(choices=["processed"])
    status_details = serializers.CharField(allow_null=True)


class OpenAIFileDeletedSerializer(serializers.Serializer[Any]):
    """A file that was deleted."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["file"])
    deleted = serializers.BooleanField()


class BatchErrorSerializer(serializers.Serializer[Any]):
    """What is wrong with a batch's file."""

    code = serializers.CharField()
    line = serializers.IntegerField(allow_null=True)
    message = serializers.CharField()
    param = serializers.CharField(allow_null=True)


class BatchErrorsSerializer(serializers.Serializer[Any]):
    """Everything that is wrong with it, the first hundred."""

    object = serializers.ChoiceField(choices=["list"])
    data = BatchErrorSerializer(many=True)  # type: ignore[assignment]


class RequestCountsSerializer(serializers.Serializer[Any]):
    """How many requests there are, were answered, and failed."""

    total = serializers.IntegerField(min_value=0)
    completed = serializers.IntegerField(min_value=0)
    failed = serializers.IntegerField(min_value=0)


class CachedTokensSerializer(serializers.Serializer[Any]):
    """Input tokens that the provider had cached."""

    cached_tokens = serializers.IntegerField(min_value=0)


class ReasoningTokensSerializer(serializers.Serializer[Any]):
    """Reasoning is part of the output tokens and is not told apart."""

    reasoning_tokens = serializers.IntegerField(min_value=0)


class BatchUsageSerializer(serializers.Serializer[Any]):
    """Tokens of all requests together."""

    input_tokens = serializers.IntegerField(min_value=0)
    input_tokens_details = CachedTokensSerializer()
    output_tokens = serializers.IntegerField(min_value=0)
    output_tokens_details = ReasoningTokensSerializer()
    total_tokens = serializers.IntegerField(min_value=0)


class OpenAIBatchSerializer(serializers.Serializer[Any]):
    """A batch."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["batch"])
    endpoint = serializers.ChoiceField(choices=Endpoint.values)
    model = serializers.CharField(allow_null=True)
    errors = BatchErrorsSerializer(allow_null=True)  # type: ignore[assignment]
    input_file_id = serializers.CharField()
    completion_window = serializers.ChoiceField(choices=["24h"])
    status = serializers.ChoiceField(choices=STATUSES)
    output_file_id = serializers.CharField(allow_null=True)
    error_file_id = serializers.CharField(allow_null=True)
    created_at = serializers.IntegerField()
    in_progress_at = serializers.IntegerField(allow_null=True)
    expires_at = serializers.IntegerField()
    finalizing_at = serializers.IntegerField(allow_null=True)
    completed_at = serializers.IntegerField(allow_null=True)
    failed_at = serializers.IntegerField(allow_null=True)
    expired_at = serializers.IntegerField(allow_null=True)
    cancelling_at = serializers.IntegerField(allow_null=True)
    cancelled_at = serializers.IntegerField(allow_null=True)
    request_counts = RequestCountsSerializer()
    usage = BatchUsageSerializer(allow_null=True)
    metadata = serializers.DictField(child=serializers.CharField(allow_blank=True), allow_null=True)


class OpenAIFileListSerializer(serializers.Serializer[Any]):
    """A page of files."""

    object = serializers.ChoiceField(choices=["list"])
    data = OpenAIFileSerializer(many=True)  # type: ignore[assignment]
    first_id = serializers.CharField(allow_null=True)
    last_id = serializers.CharField(allow_null=True)
    has_more = serializers.BooleanField()


class OpenAIBatchListSerializer(serializers.Serializer[Any]):
    """A page of batches."""

    object = serializers.ChoiceField(choices=["list"])
    data = OpenAIBatchSerializer(many=True)  # type: ignore[assignment]
    first_id = serializers.CharField(allow_null=True)
    last_id = serializers.CharField(allow_null=True)
    has_more = serializers.BooleanField()


def file_json(file: OpenAIFile) -> dict[str, Any]:
    """A file as OpenAI's clients read it."""
    return {
        "id": file.public_id,
        "object": "file",
        "bytes": file.size,
        "created_at": _seconds(file.created_at),
        "expires_at": _seconds(file.expires_at),
        "filename": file.name,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
    }


def batch_json(batch: OpenAIBatch, job: BatchJob | None) -> dict[str, Any]:
    """A batch as OpenAI's clients read it."""
    now = standing(batch, job)
    ended = {word: batch.ended_at if batch.status == word else None for word in OpenAIBatchStatus.values}
    return {
        "id": batch.public_id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "model": batch.model or None,
        "errors": {"object": "list", "data": batch.errors} if batch.errors else None,
        "input_file_id": _file_id(batch.input_file_id),
        "completion_window": "24h",
        "status": now.status,
        "output_file_id": _file_id(batch.output_file_id),
        "error_file_id": _file_id(batch.error_file_id),
        "created_at": _seconds(batch.created_at),
        "in_progress_at": _seconds(batch.in_progress_at),
        "expires_at": _seconds(now.expires_at),
        "finalizing_at": _seconds(now.finalizing_at),
        "completed_at": _seconds(ended["completed"]),
        "failed_at": _seconds(ended["failed"]),
        "expired_at": _seconds(ended["expired"]),
        "cancelling_at": _seconds(now.cancelling_at),
        "cancelled_at": _seconds(ended["cancelled"]),
        "request_counts": {
            "total": job.total if job else 0,
            "completed": job.succeeded if job else 0,
            "failed": job.failed if job else 0,
        },
        "usage": _usage(batch, job),
        "metadata": batch.metadata,
    }


def list_json(rows: list[dict[str, Any]], *, has_more: bool) -> dict[str, Any]:
    """A page of a list."""
    return {
        "object": "list",
        "data": rows,
        "first_id": rows[0]["id"] if rows else None,
        "last_id": rows[-1]["id"] if rows else None,
        "has_more": has_more,
    }


def _usage(batch: OpenAIBatch, job: BatchJob | None) -> dict[str, Any] | None:
    """What was used; None until the answers are counted."""
    if job is None or batch.cached_tokens is None:
        return None
    return {
        "input_tokens": job.input_tokens,
        "input_tokens_details": {"cached_tokens": batch.cached_tokens},
        "output_tokens": job.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": job.input_tokens + job.output_tokens,
    }


def _file_id(file_id: Any) -> str | None:
    return OpenAIFile(id=file_id).public_id if file_id else None


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())

"""Results as a streamed HTTP answer, for pages and API alike."""

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

from apps.batches import results
from apps.batches.models import BatchJob
from apps.core.errors import InvalidRequest


def download(job: BatchJob, name: str, status: str = "") -> StreamingHttpResponse:
    """The results as a file. Its generator opens scopes of its own. Raises InvalidRequest."""
    chosen = results.FORMATS.get(name)
    if chosen is None:
        raise InvalidRequest(f"format is one of {', '.join(results.FORMATS)}.", param="format")
    disposition = content_disposition_header(True, results.file_name(job, chosen)) or "attachment"
    return StreamingHttpResponse(
        chosen.stream(job, status),
        content_type=chosen.content_type,
        headers={"Content-Disposition": disposition, "X-Accel-Buffering": "no"},
    )

"""Results as a streamed HTTP answer, for pages and API alike."""

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

from apps.batches import results
from apps.batches.models import BatchJob
from apps.core.errors import InvalidRequest
from apps.core.streaming import ended_honestly


def download(job: BatchJob, name: str, status: str = "") -> StreamingHttpResponse:
    """The results as a file. Its generator opens scopes of its own. Raises InvalidRequest."""
    chosen = results.FORMATS.get(name)
    if chosen is None:
        raise InvalidRequest(f"format is one of {', '.join(results.FORMATS)}.", param="format")
    disposition = content_disposition_header(True, results.file_name(job, chosen)) or "attachment"
    return StreamingHttpResponse(
        ended_honestly(chosen.stream(job, status), "csv" if chosen.extension == "csv" else "jsonl"),
        content_type=chosen.content_type,
        headers={"Content-Disposition": disposition, "X-Accel-Buffering": "no"},
    )

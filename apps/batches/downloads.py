"""Results as a streamed HTTP answer, for pages and API alike."""

from typing import Final

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header

from apps.batches.models import BatchJob
from apps.batches.results.formats import FORMATS, ResultFormat, file_name, formats_of, write_results
from apps.batches.results.selecting import NO_FILTERS, ResultFilters
from apps.core.errors import InvalidRequest
from apps.core.streaming import Kind, ended_honestly

_ENDS: Final[dict[ResultFormat, Kind]] = {
    "csv": "csv",
    "jsonl": "jsonl",
    "openai": "jsonl",
    "parquet": "none",
}


def download(
    job: BatchJob,
    name: str,
    filters: ResultFilters = NO_FILTERS,
    *,
    after: int = 0,
    method: str | None = "GET",
) -> HttpResponseBase:
    """The results as a file; for HEAD what would come with it. Its generator opens scopes of its own.

    Raises InvalidRequest for an unknown format, and for the rest of a file that can't be continued.
    """
    known = next((each for each in FORMATS if each == name), None)
    if known is None:
        raise InvalidRequest(f"format is one of {', '.join(FORMATS)}.", param="format")
    if known not in formats_of(job):
        message = "The answers of a batch over a file stand in its output file."
        raise InvalidRequest(message, code="batch_of_file", param="format")
    headers = {
        "Content-Disposition": content_disposition_header(True, file_name(job, known)) or "attachment",
        "Content-Type": FORMATS[known].content_type,
        # A file is as long as it turns out to be: it is continued by row, and not by byte.
        "Accept-Ranges": "none",
        "X-Accel-Buffering": "no",
    }
    if method == "HEAD":
        return HttpResponse(headers=headers)
    chunks = write_results(job, known, filters, after=after)
    return StreamingHttpResponse(ended_honestly(chunks, _ENDS[known]), headers=headers)

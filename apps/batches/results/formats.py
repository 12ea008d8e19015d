"""The files that a batch's results come as."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from apps.batches.models import BatchJob, Source
from apps.batches.queries import variants_of
from apps.batches.results.csv_file import write_csv
from apps.batches.results.heads import columns_of
from apps.batches.results.json_lines import write_json_lines
from apps.batches.results.openai_lines import write_openai_lines
from apps.batches.results.parquet_file import write_parquet
from apps.batches.results.rows import read_chunks
from apps.batches.results.selecting import NO_FILTERS, ResultFilters
from apps.core.scope import organization_scope

ResultFormat = Literal["csv", "jsonl", "parquet", "openai"]


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of file, in words for people too."""

    content_type: str
    extension: str
    words: str


FORMATS: Final[dict[ResultFormat, Format]] = {
    "csv": Format("text/csv; charset=utf-8", "csv", "CSV"),
    "jsonl": Format("application/jsonl", "jsonl", "JSONL"),
    "parquet": Format("application/vnd.apache.parquet", "parquet", "Parquet"),
    "openai": Format("application/jsonl", "openai.jsonl", "OpenAI batch output"),
}


def formats_of(job: BatchJob) -> dict[ResultFormat, Format]:
    """The files that a job has. The answers of an OpenAI file have their own shapes, and files."""
    return {name: each for name, each in FORMATS.items() if name != "openai" or job.source != Source.FILE}


def write_results(
    job: BatchJob, name: ResultFormat, filters: ResultFilters = NO_FILTERS, *, after: int = 0
) -> Iterator[bytes]:
    """A job's results as a file, in the order of the input; a job that still runs gives what is there.

    Streamed, with scopes of its own. From the row after `after` on, without a line of heads: put behind what
    is there already, the file is whole.
    """
    with organization_scope(job.organization_id):
        variants = variants_of(job)
        columns = columns_of(job, variants)
    chunks = read_chunks(job, filters, after)
    if name == "csv":
        return write_csv(columns, chunks, head=not after)
    if name == "parquet":
        return write_parquet(columns, chunks)
    writer = write_json_lines if name == "jsonl" else write_openai_lines
    return writer(job, variants, chunks)


def file_name(job: BatchJob, name: ResultFormat) -> str:
    """The name that a download gets."""
    plain = "".join(letter if letter.isalnum() or letter in "-_ " else "-" for letter in job.name).strip()
    return f"{plain or job.public_id}.{FORMATS[name].extension}"

"""What came out of batches, by API: rows, files, failures, comparisons."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.batches import downloads, queries
from apps.batches.api import result_shapes as shapes
from apps.batches.models import BatchItem, BatchJob, ItemStatus
from apps.batches.results import comparing, pages
from apps.batches.results.failures import failures
from apps.batches.results.formats import FORMATS
from apps.batches.results.selecting import ResultFilters
from apps.core import api, ids
from apps.core.errors import InvalidRequest, NotFound
from apps.core.models import find
from apps.core.numbers import whole_number
from apps.core.openapi import CURSOR_PARAMETERS, list_of
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission

TAGS: Final = ["Batches"]
LARGEST_ROW: Final = 2**31 - 1
LONGEST_CODE: Final = 64
LONGEST_SEARCH: Final = 200
MATCHES: Final = ("match", "differs")
ROW: Final = {"type": "integer", "minimum": 0, "maximum": LARGEST_ROW}
MOST_VARIANTS: Final = 1_000
VARIANT: Final = {"type": "integer", "minimum": 1, "maximum": MOST_VARIANTS}
FILTERS: Final = [
    OpenApiParameter("status", str, enum=ItemStatus.values, description="Only rows of this status."),
    OpenApiParameter("match", str, enum=MATCHES, description="Rows that match what is expected, or don't."),
    OpenApiParameter(
        "code",
        {"type": "string", "maxLength": LONGEST_CODE},
        description="Only rows that failed with this error code.",
    ),
    OpenApiParameter("variant", VARIANT, description="Only this variant, counted from 1."),
    OpenApiParameter(
        "search",
        {"type": "string", "maxLength": LONGEST_SEARCH},
        description="Only rows whose input or output holds this text.",
    ),
]
# A place in a batch written as an id: UUIDs of version 8 hold what one likes, and no row has such an id.
_PLACE: Final = 0x8 << 76 | 0x2 << 62


class BatchItemListAPI(ProjectAPIView):
    """The rows of a batch."""

    permissions = {"GET": Permission.BATCHES_VIEW}

    @extend_schema(
        operation_id="list_batch_items",
        tags=TAGS,
        parameters=[*CURSOR_PARAMETERS, *FILTERS],
        responses=list_of(shapes.BatchItemSerializer),
    )
    def get(self, request: Request, batch: str) -> Response:
        """List a batch's rows in the order of the input.

        A large batch is looked through piece by piece: a page may hold few rows, or none, and say `has_more`.
        """
        job = queries.get_job(self.project, batch)
        variants = queries.variants_of(job)
        page = pages.result_page(
            job,
            _filters(job, request),
            after=_place(job, request, "starting_after"),
            before=_place(job, request, "ending_before"),
            limit=api.asked_limit(request),
        )
        backwards = "ending_before" in request.query_params
        return Response(
            {
                "object": "list",
                "data": [shapes.item_json(job, row, variants) for row in page.rows],
                "has_more": (page.before if backwards else page.after) is not None,
                "next_cursor": None if backwards or page.after is None else _cursor(page.after),
                "url": request.path,
            }
        )


class BatchResultsAPI(ProjectAPIView):
    """The results as a file."""

    permissions = {"GET": Permission.BATCHES_VIEW}

    @extend_schema(
        operation_id="download_batch_results",
        tags=TAGS,
        parameters=[
            OpenApiParameter("format", str, enum=list(FORMATS), description="csv by default."),
            *FILTERS,
            OpenApiParameter(
                "after_row",
                ROW,
                description="Only what comes after this row of the input, without a line of heads: the rest "
                "of a file that broke off, or that was fetched while the batch ran.",
            ),
        ],
        responses={
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/jsonl"): OpenApiTypes.STR,
            (200, "application/vnd.apache.parquet"): OpenApiTypes.BINARY,
        },
    )
    def get(self, request: Request, batch: str) -> HttpResponseBase:
        """Download the results in the order of the input; a running batch gives what is there so far."""
        job = queries.get_job(self.project, batch)
        return downloads.download(
            job,
            request.query_params.get("format", "csv"),
            _filters(job, request),
            after=_whole(request, "after_row", 0, LARGEST_ROW) or 0,
            method=request.method,
        )


class BatchFailuresAPI(ProjectAPIView):
    """The failed rows by reason."""

    permissions = {"GET": Permission.BATCHES_VIEW}

    @extend_schema(operation_id="list_batch_failures", tags=TAGS, responses=shapes.BatchFailureListSerializer)
    def get(self, request: Request, batch: str) -> Response:
        """List why rows failed, the most frequent reason first, with an example of each."""
        job = queries.get_job(self.project, batch)
        groups = [shapes.failure_json(job, group) for group in failures(job)]
        return Response({"object": "list", "data": groups, "url": request.path})


class BatchComparisonAPI(ProjectAPIView):
    """A batch beside another one, or two of its variants."""

    permissions = {"GET": Permission.BATCHES_VIEW}

    @extend_schema(
        operation_id="compare_batch",
        tags=TAGS,
        parameters=[
            OpenApiParameter("with", str, required=True, description="The other batch, or this one."),
            OpenApiParameter("variant", VARIANT, description="Of this batch, counted from 1; 1 by default."),
            OpenApiParameter("with_variant", VARIANT, description="Of the other; 1 by default."),
            OpenApiParameter("kind", str, enum=list(comparing.KINDS), description="changed by default."),
            OpenApiParameter("after_row", ROW, description="The row after which the page begins."),
        ],
        responses=shapes.BatchComparisonSerializer,
    )
    def get(self, request: Request, batch: str) -> Response:
        """Compare two batches over the same version of a dataset, or two variants of one, row by row."""
        job = queries.get_job(self.project, batch)
        if "with" not in request.query_params:
            raise InvalidRequest("with is the id of a batch.", param="with")
        other = queries.get_job(self.project, request.query_params["with"])
        sides: list[comparing.Side] = []
        for each, name in ((job, "variant"), (other, "with_variant")):
            position = (_whole(request, name, 1, MOST_VARIANTS) or 1) - 1
            sides.append(comparing.side_of(each, position, queries.variants_of(each)))
        kind = request.query_params.get("kind", "changed")
        if kind not in comparing.KINDS:
            raise InvalidRequest(f"kind is one of {', '.join(comparing.KINDS)}.", param="kind")
        first, second = sides
        found = comparing.compare(first, second)
        after = _whole(request, "after_row", 0, LARGEST_ROW) or 0
        page = comparing.compared_page(first, second, kind, after=after)
        return Response(shapes.comparison_json(first, second, found, page))


def _filters(job: BatchJob, request: Request) -> ResultFilters:
    """What a list or a file is narrowed to. Raises InvalidRequest."""
    variant = _whole(request, "variant", 1, MOST_VARIANTS)
    if variant is not None and variant > job.variant_count:
        raise comparing.unknown_variant(job)
    return ResultFilters(
        status=_one_of(request, "status", ItemStatus.values),
        match=_one_of(request, "match", MATCHES),
        code=_text(request, "code", LONGEST_CODE),
        search=_text(request, "search", LONGEST_SEARCH),
        variant=None if variant is None or job.variant_count == 1 else variant - 1,
    )


def _one_of(request: Request, name: str, choices: Sequence[str]) -> str:
    value: str = request.query_params.get(name, "")
    if name in request.query_params and value not in choices:
        raise InvalidRequest(f"{name} is one of {', '.join(choices)}.", param=name)
    return value


def _text(request: Request, name: str, longest: int) -> str:
    value: str = request.query_params.get(name, "")
    if len(value) > longest or "\0" in value:
        raise InvalidRequest(f"{name} is a text of at most {longest} characters.", param=name)
    return value


def _whole(request: Request, name: str, least: int, most: int) -> int | None:
    if name not in request.query_params:
        return None
    value = whole_number(request.query_params[name])
    if value is None or not least <= value <= most:
        raise InvalidRequest(f"{name} is a whole number from {least} to {most}.", param=name)
    return value


def _cursor(number: int) -> str:
    return ids.encode(BatchItem.PREFIX, UUID(int=_PLACE | number))


def _place(job: BatchJob, request: Request, name: str) -> int:
    """The number that a cursor means: a row's id, or a place that `next_cursor` gave."""
    text = request.query_params.get(name)
    if text is None:
        return 0
    found = ids.decode_or_none(BatchItem.PREFIX, text)
    if found is None:
        raise InvalidRequest(f"{name} is not the id of a row.", param=name)
    number = found.int ^ _PLACE
    if number <= LARGEST_ROW:
        return number
    item = find(BatchItem.objects.filter(batch=job), text)
    if item is None:
        raise NotFound(f"{name} is not the id of a row of this batch.", code="row_not_found", param=name)
    return item.number

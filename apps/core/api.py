"""What every API view shares: JSON in and out, the one error shape, cursor pagination."""

from collections.abc import Callable, Mapping
from typing import IO, Any, ClassVar, Final, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from django.http import QueryDict
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from apps.core import ids
from apps.core.error_mapping import to_error
from apps.core.errors import InvalidRequest
from apps.core.expanding import Expansions, expanded
from apps.core.json_bodies import BODY_LIMIT, dump_json, parse_json
from apps.core.numbers import whole_number
from apps.core.request_id import current_request_id
from apps.core.strictness import check_types

DEFAULT_LIMIT: Final = 20
LARGEST_LIMIT: Final = 100

Row = TypeVar("Row", bound=Model)


class JSONParser(BaseParser):
    """Reads a JSON body of up to `limit` bytes; see `json_bodies.parse_json` for what is refused."""

    media_type = "application/json"
    limit: ClassVar[int] = BODY_LIMIT

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return parse_json(stream.read(self.limit + 1), limit=self.limit)


class JSONRenderer(BaseRenderer):
    """Writes JSON with orjson."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return b"" if data is None else dump_json(data)


def exception_handler(exception: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's EXCEPTION_HANDLER: every exception becomes the one JSON shape."""
    error = to_error(exception)
    return Response(error.body(current_request_id()), status=error.status, headers=error.headers())


def validated(serializer: Serializer[Any]) -> dict[str, Any]:
    """The values of a body as its serializer reads them. Raises what becomes InvalidRequest."""
    if isinstance(serializer.initial_data, dict) and not isinstance(serializer.initial_data, QueryDict):
        check_types(serializer, serializer.initial_data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def page(
    queryset: QuerySet[Row],
    request: Request,
    serialize: Callable[[Row], Mapping[str, Any]],
    expansions: Expansions | None = None,
) -> dict[str, Any]:
    """One page of a list, newest first, by the cursor parameters of the request.

    `limit` 1-100 (20 by default), `starting_after` and `ending_before` public ids of that kind; `expand[]`
    one of `expansions`. Raises InvalidRequest for anything else.
    """
    limit = asked_limit(request)
    after, before = _cursor(queryset, request, "starting_after"), _cursor(queryset, request, "ending_before")
    rows, has_more = _rows(queryset, limit, after, before)
    return {
        "object": "list",
        "data": expanded(request, rows, [serialize(row) for row in rows], expansions or {}),
        "has_more": has_more,
        "next_cursor": _public_id(rows[-1]) if rows and has_more and not before else None,
        "url": request.path,
    }


def asked_limit(request: Request) -> int:
    """How many rows a list's `limit` asks for. Raises InvalidRequest outside 1-100."""
    limit = whole_number(request.query_params.get("limit", str(DEFAULT_LIMIT)))
    if limit is None or not 1 <= limit <= LARGEST_LIMIT:
        raise InvalidRequest(f"limit must be a whole number from 1 to {LARGEST_LIMIT}.", param="limit")
    return limit


def _rows(
    queryset: QuerySet[Row], limit: int, after: UUID | None, before: UUID | None
) -> tuple[list[Row], bool]:
    if after:
        queryset = queryset.filter(pk__lt=after)
    if before:
        found = list(queryset.filter(pk__gt=before).order_by("pk")[: limit + 1])
        return found[:limit][::-1], len(found) > limit
    found = list(queryset.order_by("-pk")[: limit + 1])
    return found[:limit], len(found) > limit


def _cursor(queryset: QuerySet[Row], request: Request, name: str) -> UUID | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    row_id = ids.decode_or_none(_prefix(queryset.model), text)
    if row_id is None:
        raise InvalidRequest(f"{name} is not the id of an object in this list.", param=name)
    return row_id


def _prefix(model: type[Model]) -> str:
    return str(getattr(model, "PREFIX", ""))


def _public_id(row: Model) -> str:
    return ids.encode(_prefix(type(row)), row.pk)

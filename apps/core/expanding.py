"""``expand[]=…``: an object's relation as an object instead of an id, loaded for a whole page at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias
from uuid import UUID

from django.db.models import Model
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from apps.core.errors import InvalidRequest

PARAMETER: Final = "expand[]"
MOST: Final = 10

Loader: TypeAlias = Callable[[Sequence[Any]], Mapping[UUID, Any]]
"""From rows to what stands for each, by the row's key; a constant number of queries."""

Expansions: TypeAlias = Mapping[str, Loader]


def expand_parameter(expansions: Expansions) -> OpenApiParameter:
    """The parameter as the API's document describes it."""
    return OpenApiParameter(
        PARAMETER,
        {"type": "array", "items": {"type": "string", "enum": sorted(expansions)}, "maxItems": MOST},
        description="Relations to answer with as objects.",
        explode=True,
    )


def expanded(
    request: Request, rows: Sequence[Model], bodies: Sequence[Mapping[str, Any]], expansions: Expansions
) -> list[dict[str, Any]]:
    """The bodies of rows with the relations that the request asks for. Raises InvalidRequest for others."""
    names = asked_expansions(request, expansions)
    loaded = {name: expansions[name](rows) for name in names}
    return [
        {**body, **{name: found.get(row.pk) for name, found in loaded.items()}}
        for row, body in zip(rows, bodies, strict=True)
    ]


def asked_expansions(request: Request, expansions: Expansions) -> list[str]:
    """The names after ``expand[]``, each once. Raises InvalidRequest naming what may be expanded."""
    names = request.query_params.getlist(PARAMETER)
    if len(names) > MOST:
        raise InvalidRequest(f"At most {MOST} relations can be expanded at a time.", param=PARAMETER)
    unknown = [name for name in names if name not in expansions]
    if unknown:
        known = ", ".join(sorted(expansions)) or "nothing"
        raise InvalidRequest(f"'{unknown[0][:64]}' can't be expanded here; {known} can.", param=PARAMETER)
    return list(dict.fromkeys(names))

"""From rows to JSON: ids as the API shows them, times in UTC, money and decimals as text, nothing sealed."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import models

from apps.audit.queries import content_of_detail
from apps.core import crypto, ids
from apps.runs.feedback import text_of
from apps.runs.queries import load_contents

Record = dict[str, Any]
Records = Callable[[Sequence[Any]], Iterable[Record]]

# Plain ids that no foreign key tells the kind of.
KINDS_OF_IDS: Final = {
    "project_id": "prj",
    "prompt_id": "prm",
    "prompt_version_id": "prv",
    "version_id": "prv",
    "run_id": "run",
    "cached_from": "run",
    "api_key_id": "key",
}


def plain(*left_out: str) -> Records:
    """Every field but those that are left out."""

    def records(rows: Sequence[models.Model]) -> Iterator[Record]:
        for row in rows:
            yield fields_of(row, left_out)

    return records


def fields_of(row: models.Model, left_out: Sequence[str] = ()) -> Record:
    """A row's fields by name; the organization is the same for all and isn't repeated."""
    found: Record = {}
    for field in row._meta.concrete_fields:
        if field.attname != "organization_id" and field.attname not in left_out:
            found[field.attname] = _value(field, getattr(row, field.attname))
    return found


def line(record: Record) -> bytes:
    """A record as one line of JSON."""
    try:
        return orjson.dumps(record, default=_unknown, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)
    except orjson.JSONEncodeError:
        # Customers' JSON may hold whole numbers of any size.
        return json.dumps(record, default=_unknown, ensure_ascii=False).encode() + b"\n"


def run_contents(runs: Sequence[Any]) -> Iterator[Record]:
    """What runs sent and answered, where it is kept; what can't be opened is said to be unreadable."""
    for run, content in _opened(runs, load_contents):
        found = {} if content is None else _as_mapping(content)
        yield {"run_id": run.public_id, **(found or {"unreadable": True})}


def feedback(rows: Sequence[Any]) -> Iterator[Record]:
    """Feedback with its words."""
    for row in rows:
        words: Record
        try:
            told = text_of(row)
            words = {"comment": told.comment, "correction": told.correction}
        except crypto.SealBroken:
            words = {"unreadable": True}
        yield fields_of(row, ("sealed_text",)) | words


def audit_details(rows: Sequence[Any]) -> Iterator[Record]:
    """The personal and the long parts of audit events."""
    for row in rows:
        try:
            content: Record = {"content": content_of_detail(row)}
        except (crypto.SealBroken, orjson.JSONDecodeError):
            content = {"unreadable": True}
        yield fields_of(row, ("sealed",)) | content


def openai_answers(rows: Sequence[Any]) -> Iterator[Record]:
    """Answers to requests of a batch file, each with the whole body."""
    for row in rows:
        yield fields_of(row, ("body",)) | {"body": orjson.loads(bytes(row.body))}


def hashes(*names: str) -> Records:
    """Rows whose binary fields are hashes, told in hexadecimal digits."""

    def records(rows: Sequence[models.Model]) -> Iterator[Record]:
        for row in rows:
            told = {name: bytes(getattr(row, name)).hex() for name in names}
            yield fields_of(row, names) | told

    return records


def members(rows: Sequence[Any]) -> Iterator[Record]:
    """Members with name and address; what else an account holds is the person's own."""
    for row in rows:
        yield fields_of(row) | {"name": row.user.name, "email": row.user.email}


def grants(rows: Sequence[Any]) -> Iterator[Record]:
    """Rights on single objects, by the right's name."""
    for row in rows:
        yield fields_of(row, ("permission_id",)) | {"permission": row.permission.codename}


def _opened(
    runs: Sequence[Any], load: Callable[[Sequence[Any]], Mapping[UUID, Any]]
) -> Iterator[tuple[Any, Any]]:
    try:
        found = load(runs)
    except crypto.SealBroken:
        for run in runs:
            try:
                found = load([run])
            except crypto.SealBroken:
                yield run, None
                continue
            if run.pk in found:
                yield run, found[run.pk]
        return
    for run in runs:
        if run.pk in found:
            yield run, found[run.pk]


def _as_mapping(content: Any) -> Record:
    return {name: getattr(content, name) for name in type(content).__slots__}


def _value(field: "models.Field[Any, Any]", value: Any) -> Any:
    if isinstance(value, UUID):
        prefix = _prefix(field)
        return ids.encode(prefix, value) if prefix else str(value)
    if isinstance(value, (bytes, memoryview)):
        raise TypeError(f"{field} is binary: say what becomes of it")
    if isinstance(value, (Decimal, date, datetime)):
        return _unknown(value)
    return value


def _prefix(field: "models.Field[Any, Any]") -> str:
    model = field.related_model if field.is_relation else field.model if field.primary_key else None
    if model is not None:
        return str(getattr(model, "PREFIX", ""))
    return KINDS_OF_IDS.get(field.attname, "")


def _unknown(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(type(value).__name__)

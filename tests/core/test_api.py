import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson
import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation, ValidationError
from django.db import InternalError, OperationalError
from django.http import Http404
from psycopg.errors import IdleInTransactionSessionTimeout
from redis.exceptions import ConnectionError as RedisConnectionError
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from apps.core import api, errors, ids
from apps.core.error_mapping import to_error
from apps.core.json_bodies import DEPTH_LIMIT, dump_json, parse_json
from apps.core.models import StoredFile
from apps.core.request_id import set_request_id
from apps.core.scope import organization_scope
from tests import factories


class RowSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()


class BodySerializer(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=5)
    count = serializers.IntegerField()
    rows = RowSerializer(many=True)
    note = serializers.CharField()

    def validate_note(self, value: str) -> str:
        raise serializers.ValidationError("Never good.", code="never")


def test_to_error__serializer__names_every_field() -> None:
    serializer = BodySerializer(data={"title": "too long", "rows": [{"name": "x"}, {}], "note": "x"})
    assert not serializer.is_valid()
    error = to_error(exceptions.ValidationError(serializer.errors))
    assert (error.status, error.type) == (400, "invalid_request_error")
    assert (error.param, error.code) == ("title", "parameter_max_length")
    found = {(entry["param"], entry["code"]) for entry in error.extra["errors"]}
    assert found == {
        ("title", "parameter_max_length"),
        ("count", "parameter_missing"),
        ("rows.1.name", "parameter_missing"),
        ("note", "parameter_invalid"),
    }


def test_to_error__a_session_that_postgres_ended__may_be_repeated() -> None:
    ended = InternalError("terminating connection due to idle-in-transaction timeout")
    ended.__cause__ = IdleInTransactionSessionTimeout()
    assert (to_error(ended).status, to_error(ended).retry_after) == (503, 2)
    assert to_error(InternalError("another"), log=False).status == 500


def test_to_error__non_field_error__has_no_param() -> None:
    error = to_error(exceptions.ValidationError({"non_field_errors": ["Do not do that."]}))
    assert (error.param, error.message) == (None, "Do not do that.")


def test_to_error__plain_list__has_no_param() -> None:
    error = to_error(exceptions.ValidationError(["Bad."]))
    assert (error.param, error.message, error.code) == (None, "Bad.", "parameter_invalid")


@pytest.mark.parametrize(
    ("exception", "status", "type_", "code"),
    [
        (exceptions.ParseError(), 400, "invalid_request_error", "invalid_request"),
        (exceptions.NotAuthenticated(), 401, "authentication_error", "authentication_failed"),
        (exceptions.AuthenticationFailed(), 401, "authentication_error", "authentication_failed"),
        (exceptions.PermissionDenied(), 403, "permission_error", "permission_denied"),
        (PermissionDenied(), 403, "permission_error", "permission_denied"),
        (exceptions.NotFound(), 404, "not_found_error", "not_found"),
        (Http404("secret detail"), 404, "not_found_error", "not_found"),
        (StoredFile.DoesNotExist("secret detail"), 404, "not_found_error", "not_found"),
        (exceptions.MethodNotAllowed("PUT"), 405, "invalid_request_error", "method_not_allowed"),
        (exceptions.NotAcceptable(), 406, "invalid_request_error", "not_acceptable"),
        (exceptions.UnsupportedMediaType("a/b"), 415, "invalid_request_error", "unsupported_media_type"),
        (exceptions.Throttled(7), 429, "rate_limit_error", "rate_limited"),
        (SuspiciousOperation("secret detail"), 400, "invalid_request_error", "invalid_request"),
        (ValidationError({"name": ["Bad."]}), 400, "invalid_request_error", "parameter_invalid"),
        (ValidationError("Bad."), 400, "invalid_request_error", "parameter_invalid"),
        (OperationalError("secret detail"), 503, "api_error", "unavailable"),
        (RedisConnectionError("secret detail"), 503, "api_error", "unavailable"),
        (RuntimeError("secret detail"), 500, "api_error", "internal_error"),
        (errors.Conflict("Moved.", code="stale"), 409, "conflict_error", "stale"),
    ],
)
def test_exception_handler__any_exception__has_the_one_shape(
    exception: Exception, status: int, type_: str, code: str
) -> None:
    set_request_id("req_x")
    response = api.exception_handler(exception, {})
    set_request_id(None)
    assert response.status_code == status
    body = json.loads(dump_json(response.data))["error"]
    assert {"type", "code", "message", "param", "doc_url", "request_id"} <= set(body)
    assert (body["type"], body["code"], body["request_id"]) == (type_, code, "req_x")
    assert "secret" not in json.dumps(body)


def test_exception_handler__retry_after__is_a_header() -> None:
    assert api.exception_handler(exceptions.Throttled(7), {})["Retry-After"] == "7"
    assert api.exception_handler(OperationalError(), {})["Retry-After"] == "2"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"[NaN]", "invalid_json"),
        (b"{'a': 1}", "invalid_json"),
        (b'"\xff"', "invalid_json"),
        (b'"\\ud800"', "invalid_json"),
        (b'"\\udc00x"', "invalid_json"),
        (b'"\xed\xa0\x80"', "invalid_json"),
        (b'"a\x00"', "invalid_json"),
        (b'"a\\u0000"', "invalid_character"),
        (b'{"a\\u0000": 1}', "invalid_character"),
        (b'[[{"a": ["\\u0000"]}]]', "invalid_character"),
        (b"[" * (DEPTH_LIMIT + 1) + b"]" * (DEPTH_LIMIT + 1), "body_too_deep"),
        (b'{"a":' * (DEPTH_LIMIT + 1) + b"1" + b"}" * (DEPTH_LIMIT + 1), "body_too_deep"),
        (b"[" * 100_000, "invalid_json"),
        (b'"' + b"x" * 100 + b'"', "body_too_large"),
    ],
)
def test_parse_json__not_storable__is_refused(raw: bytes, code: str) -> None:
    limit = 100 if code == "body_too_large" else 1_000_000
    with pytest.raises(errors.InvalidRequest) as caught:
        parse_json(raw, limit=limit)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "raw",
    [
        b"null",
        b'{"a": [1, 2.5, "\\u00e4", true]}',
        b'"\\\\u0000"',
        b'"\\ud83d\\ude00"',
        b"[" * DEPTH_LIMIT + b"]" * DEPTH_LIMIT,
        b"[" + b"[]," * 1000 + b"[]]",
    ],
)
def test_parse_json__good__is_as_python_reads_it(raw: bytes) -> None:
    assert parse_json(raw) == json.loads(raw)


@pytest.fixture
def listing() -> Callable[..., dict[str, Any]]:
    """A function that gives a page of five files; the tests run in their organization's scope."""

    def get(query: str = "") -> dict[str, Any]:
        request = Request(APIRequestFactory().get(f"/api/v1/files{query}"))
        return api.page(StoredFile.objects.all(), request, lambda row: {"id": row.public_id})

    return get


def make_files(count: int) -> list[str]:
    organization = factories.make_organization()
    with organization_scope(organization.id):
        rows = [StoredFile(organization=organization, name="x", content_type="x") for _ in range(count)]
        StoredFile.objects.bulk_create(rows)
    made = sorted((row.public_id for row in rows), reverse=True)
    return [str(organization.id), *made]


@pytest.mark.django_db
def test_page__walked_forward__gives_every_row_once(listing: Callable[..., dict[str, Any]]) -> None:
    organization_id, *made = make_files(5)
    seen, query = [], "?limit=2"
    with organization_scope(UUID(organization_id)):
        while True:
            found = listing(query)
            seen += [entry["id"] for entry in found["data"]]
            if not found["has_more"]:
                break
            query = f"?limit=2&starting_after={found['next_cursor']}"
    assert seen == made
    assert found["next_cursor"] is None
    assert (found["object"], found["url"]) == ("list", "/api/v1/files")


@pytest.mark.django_db
def test_page__ending_before__gives_the_rows_just_before(listing: Callable[..., dict[str, Any]]) -> None:
    organization_id, *made = make_files(5)
    with organization_scope(UUID(organization_id)):
        found = listing(f"?limit=2&ending_before={made[4]}")
        assert [entry["id"] for entry in found["data"]] == made[2:4]
        assert found["has_more"]
        first = listing(f"?limit=2&ending_before={made[1]}")
        assert [entry["id"] for entry in first["data"]] == made[:1]
        assert not first["has_more"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("?limit=0", "limit"),
        ("?limit=101", "limit"),
        ("?limit=-1", "limit"),
        ("?limit=x", "limit"),
        ("?limit=%C2%B2", "limit"),
        ("?limit=" + "9" * 5000, "limit"),
        ("?starting_after=nonsense", "starting_after"),
        ("?starting_after=prm_01k00000000000000000000000", "starting_after"),
        ("?ending_before=fil_", "ending_before"),
        ("?ending_before=", "ending_before"),
    ],
)
def test_page__bad_parameter__is_named(
    listing: Callable[..., dict[str, Any]], query: str, param: str
) -> None:
    with organization_scope(ids.uuid7()), pytest.raises(errors.InvalidRequest) as caught:
        listing(query)
    assert caught.value.param == param


@pytest.mark.django_db
def test_page__any_length__costs_one_query(
    listing: Callable[..., dict[str, Any]], django_assert_num_queries: Any
) -> None:
    organization_id, *_ = make_files(5)
    with organization_scope(UUID(organization_id)), django_assert_num_queries(1):
        listing("?limit=5")


def test_dump_json__numbers_beyond_64_bits__are_written_as_they_were_read() -> None:
    assert orjson.loads(dump_json({"n": [10**30, -(10**30), 2**64 - 1]})) == {"n": [1e30, -1e30, 2**64 - 1]}

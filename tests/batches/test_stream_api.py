"""Streams by API."""

import json
from typing import Any

import pytest
from django.test import Client

from apps.batches import event_feed
from apps.batches.api.stream_shapes import answers_json
from apps.batches.event_feed import Feed
from apps.batches.services.stream_telling import tell_streams
from apps.batches.stream_models import Stream
from apps.core.errors import Unavailable
from apps.core.models import OutboxMessage
from apps.core.scope import system_scope
from apps.tenants.models import Project
from tests.batches.support import run_batch_pump
from tests.factories import make_api_key, make_project, make_prompt

pytestmark = pytest.mark.django_db(transaction=True)


class Api:
    """A client with a key; a body that is bytes goes out as lines."""

    def __init__(self, project: Project, *, livemode: bool = True) -> None:
        key = make_api_key(project=project, livemode=livemode)[1]
        self.client = Client(headers={"Authorization": f"Bearer {key}"})

    def post(self, path: str, body: Any, status: int, **headers: str) -> Any:
        lines = isinstance(body, bytes)
        response = self.client.post(
            f"/api/v1/streams{path}",
            data=body if lines else json.dumps(body),
            content_type="application/x-ndjson" if lines else "application/json",
            headers=headers,
        )
        assert response.status_code == status, response.content
        return response.json()

    def get(self, path: str, status: int = 200) -> Any:
        response = self.client.get(f"/api/v1/streams{path}")
        assert response.status_code == status, response.content
        return response.json()


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def api(project: Project) -> Api:
    prompt = make_prompt(project=project, labels={"production": 1})
    api = Api(project)
    api.post("", {"name": "reviews", "prompt": prompt.name, "daily_cost_cap_usd": "1.5"}, 201)
    return api


def found_stream() -> Stream:
    with system_scope():
        return Stream.all_organizations.get()


def test_stream__opened_pushed_and_read__tells_one_story(api: Api) -> None:
    told = api.get("/reviews")
    assert (told["label"], told["daily_cost_cap_usd"], told["closed_at"]) == ("production", "1.5", None)
    one = api.post("/reviews", {"id": "a", "variables": {"review": "good"}}, 202)
    lines = b'{"id":"b","variables":{"review":"bad"}}\n\n{"variables":{"review":"so so"}}\n'
    two = api.post("/reviews", lines, 202)
    assert (one["accepted"], two["accepted"], two["first_row"], two["last_row"]) == (1, 2, 2, 3)
    assert one["batch"] == two["batch"] == told["batch"]
    run_batch_pump()

    first = api.get("/reviews/results?limit=2")
    rest = api.get(f"/reviews/results?after={first['next_cursor']}")
    answers = [*first["data"], *rest["data"]]
    assert (first["has_more"], rest["has_more"], len(answers)) == (True, False, 3)
    assert {answer["id"] for answer in answers} == {"a", "b", None}
    assert all(answer["status"] == "succeeded" and answer["run_id"] for answer in answers)
    assert api.get(f"/reviews/results?after={rest['next_cursor']}")["data"] == []
    assert api.post("/reviews/close", {}, 200)["closed_at"]
    assert api.get("")["data"][0]["name"] == "reviews"


def test_push__the_same_idempotency_key__takes_the_rows_once(api: Api) -> None:
    body = {"variables": {"review": "good"}}
    first = api.post("/reviews", body, 202, **{"Idempotency-Key": "k-1"})
    again = api.post("/reviews", body, 202, **{"Idempotency-Key": "k-1"})

    assert first == again
    assert api.post("/reviews", body, 202)["first_row"] == 2


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "variables"),
        ({"rows": []}, "rows"),
        ({"rows": [{"variables": {"review": "x"}}, 5]}, "rows.1"),
        ({"rows": [{"variables": {}}], "id": "x"}, "rows"),
        (b'{"variables": {"review": "x"}}\nnonsense', "rows.1"),
        (b"", "variables"),
    ],
)
def test_push__a_body_that_makes_no_sense__is_refused_by_name(api: Api, body: Any, param: str) -> None:
    assert api.post("/reviews", body, 400)["error"]["param"] == param


@pytest.mark.parametrize("cursor", ["x", "bat_x.1", "..", "bat_0.", "1"])
def test_results__a_cursor_of_nobody__is_refused(api: Api, cursor: str) -> None:
    assert api.get(f"/reviews/results?after={cursor}", 400)["error"]["param"] == "after"


def test_events__answers_that_are_there__come_at_once_with_their_cursors(api: Api) -> None:
    api.post("/reviews", {"id": "a", "variables": {"review": "good"}}, 202)
    run_batch_pump()
    stream = found_stream()
    events = b"".join(Feed(stream, "", answers_json, seconds=0.2)).decode()

    (data,) = [line[6:] for line in events.splitlines() if line.startswith("data: ")]
    answer = json.loads(data)
    assert answer["id"] == "a"
    assert f"id: {answer['cursor']}" in events
    feeds = [Feed(stream, "", answers_json) for _ in range(event_feed.MOST_LISTENERS)]
    with pytest.raises(Unavailable):
        Feed(stream, "", answers_json)
    for each in feeds:
        each.close()


def test_tell_streams__new_answers__are_told_once(api: Api) -> None:
    api.post("/reviews", {"rows": [{"variables": {"review": "a"}}, {"variables": {"review": "b"}}]}, 202)
    run_batch_pump()

    assert [tell_streams(), tell_streams()] == [1, 0]
    with system_scope():
        (event,) = OutboxMessage.objects.filter(topic="stream.answered")
    assert (event.payload["answers"], event.payload["name"]) == (2, "reviews")
    assert len(api.get(f"/reviews/results?after={event.payload['after']}")["data"]) == 2


def test_push__by_a_test_key__into_a_live_stream_is_refused(api: Api, project: Project) -> None:
    refused = Api(project, livemode=False).post("/reviews", {"variables": {"review": "x"}}, 403)

    assert refused["error"]["code"] == "live_key_needed"

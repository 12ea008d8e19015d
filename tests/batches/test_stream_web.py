"""Pages of streams."""

import pytest
from django.test import Client

from apps.batches.stream_models import Stream
from apps.core.scope import system_scope
from tests.batches.support import run_batch_pump
from tests.batches.test_stream_api import Api
from tests.factories import make_project, make_prompt, owner_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_pages__open_look_and_close__show_answers_and_end(client: Client) -> None:
    project = make_project()
    client.force_login(owner_of(project.organization))
    prompt = make_prompt(project=project, labels={"production": 1})
    streams = f"/{project.organization.slug}/{project.slug}/batches/streams/"
    assert "No streams yet" in client.get(streams).content.decode()
    form = {
        "name": "reviews",
        "prompt": f"{prompt.public_id}:label:production",
        "concurrency": "4",
        "daily_cost_cap": "2.5",
        "rows_per_call": "1",
    }
    assert "Choose another" not in client.post(f"{streams}new/", form, follow=True).content.decode()
    assert client.post(f"{streams}new/", form).status_code == 422
    assert client.post(f"{streams}new/", form | {"name": "No Name"}).status_code == 422
    Api(project).post("/reviews", {"variables": {"review": "good"}}, 202)
    run_batch_pump()

    assert "reviews" in client.get(streams).content.decode()
    page = client.get(f"{streams}reviews/").content.decode()
    assert "api/v1/streams/reviews/results" in page
    assert "$2.50" in page
    assert "Close this stream?" in client.get(f"{streams}reviews/close/").content.decode()
    client.post(f"{streams}reviews/close/")
    with system_scope():
        assert Stream.all_organizations.get().closed_at is not None
    assert "Closed" in client.get(f"{streams}reviews/").content.decode()

"""Point 20: the audit log answers "who changed this prompt last Tuesday, from which key or IP, what was it
before" in two clicks, and exports."""

import csv
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.test import Client

from apps.core.scope import organization_scope
from apps.prompts.models import Prompt
from tests.factories import make_api_key, make_project, make_prompt, make_user, owner_of

pytestmark = pytest.mark.django_db
TUESDAY = datetime(2026, 11, 17, 9, 30, tzinfo=UTC)
SATURDAY = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def _publish_by_key(name: str, token: str, text: str) -> None:
    content = {"messages": [{"role": "user", "content": text}], "model": "sandbox/echo", "message": "shorter"}
    answer = Client(REMOTE_ADDR="198.51.100.23").post(
        f"/api/v1/prompts/{name}/versions",
        json.dumps(content),
        "application/json",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 201, answer.content


def _links(page: Any, words: str) -> list[str]:
    found = re.findall(r'<a[^>]*href="([^"]+)"[^>]*>(.*?)</a>', page.text, re.DOTALL)
    return [href.replace("&amp;", "&") for href, text in found if words in text]


def test_point_20__who_changed_this_prompt_last_tuesday__two_clicks_and_a_file() -> None:
    with time_machine.travel(TUESDAY.replace(day=10), tick=False):
        project = make_project()
        owner = owner_of(project.organization)
        prompt = make_prompt(project=project)
        _, token = make_api_key(project=project, created_by=owner, name="deploy pipeline")
    with time_machine.travel(TUESDAY, tick=False):
        _publish_by_key(prompt.name, token, "Answer in one sentence.")
    browser = Client(REMOTE_ADDR="203.0.113.9")
    with time_machine.travel(SATURDAY, tick=False):
        browser.force_login(owner)
        home = f"/{project.organization.slug}/{project.slug}"
        page = browser.get(f"{home}/prompts/{prompt.public_id}/")

        # The first click: everything that was done to this prompt. The day narrows it further.
        log = browser.get(_links(page, "Who changed it")[0])
        assert log.text.count('data-testid="audit-event"') == 3
        day = f"&from={TUESDAY:%Y-%m-%d}&to={TUESDAY:%Y-%m-%d}"
        tuesday = f"/{project.organization.slug}/settings/audit/?object={prompt.public_id}{day}"
        log = browser.get(tuesday)
        assert log.text.count('data-testid="audit-event"') == 1
        for words in ("deploy pipeline", "API key", "198.51.100.23", "prompt_version.published"):
            assert words in log.text, words
        assert "version: 1 → 2" in log.text

        # The second: the event at an address that can be passed on.
        event = browser.get(_links(log, "<time")[0])
        for words in ("deploy pipeline", "198.51.100.23", "17 November 2026, 09:30", "<td", "shorter"):
            assert words in event.text, words

        rows = _download(browser, f"{tuesday}&export=csv")
        assert [row["ip"] for row in rows] == ["198.51.100.23"]
        assert rows[0]["actor_id"].startswith("key_")
        lines = b"".join(browser.get(f"{tuesday}&export=jsonl").streaming_content).splitlines()  # type: ignore[attr-defined]
        assert json.loads(lines[0])["changes"]["version"] == [1, 2]
    with organization_scope(project.organization_id):
        assert Prompt.objects.get(pk=prompt.pk).latest_number == 2


def _download(browser: Client, address: str) -> list[dict[str, str]]:
    response: Any = browser.get(address)
    text = b"".join(response.streaming_content).decode()
    return list(csv.DictReader(text.splitlines()))


def test_point_20__somebody_without_the_right__sees_none_of_it() -> None:
    project = make_project()
    stranger = Client()
    stranger.force_login(make_user())
    assert stranger.get(f"/{project.organization.slug}/settings/audit/").status_code == 404

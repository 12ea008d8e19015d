"""Point 17 for prompts: search, filter, sort, an address to share, choice of columns, changes of many with
the exact count, export of exactly the filtered set with all columns."""

import csv
import io
import json
import re

import pytest
from django.urls import reverse

from apps.audit.actor import SYSTEM
from apps.core.scope import organization_scope
from apps.prompts import services
from apps.prompts.models import Prompt
from apps.tenants.models import Project
from tests.factories import make_content, make_project, make_prompt
from tests.prompts.web_support import Web, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    """Sixty prompts: half of them in a folder, every third tagged, one with a rare word and a formula."""
    project = make_project()
    for number in range(60):
        folder = "team/" if number % 2 else ""
        text = "The warranty of {{ x }}" if number == 7 else f"Text {number} {{{{ x }}}}"
        prompt = make_prompt(
            project=project,
            name=f"{folder}p{number:02}",
            description="=1+1" if number == 7 else "",
            content=make_content(text),
            labels={"production": 1} if number < 5 else {},
        )
        if number % 3 == 0:
            with organization_scope(project.organization_id):
                services.set_tags(actor=SYSTEM, prompt=prompt, tags=["third"])
    return project


def shown(html: str) -> list[str]:
    """The names on a page, in order."""
    return re.findall(r'aria-label="Select ([^"]+)"', html)[1:]


def download(web: Web, **query: str) -> list[dict[str, str]]:
    response = web.client.get(web.base, {"export": "csv", **query})
    text = response.getvalue().decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_point_17__search_filter_sort__are_in_the_address(project: Project) -> None:
    web = Web(project)
    assert shown(web.get(q="P07")[1]) == ["team/p07"]
    _, html = web.get(**{"q": "warranty", "in": "newest"})
    assert shown(html) == ["team/p07"]
    assert "The <mark>warranty</mark> of" in html
    assert "No prompt matches" in web.get(q="warranty")[1]
    assert len(shown(web.get(tag="third")[1])) == 20
    assert shown(web.get(label="production", sort="-name")[1])[0] == "team/p03"
    assert len(shown(web.get(folder="team", sort="name")[1])) == 30
    # Another person sees the same by the same address.
    query = {"folder": "team", "tag": "third", "sort": "name"}
    assert shown(Web(project).get(**query)[1]) == shown(web.get(**query)[1])


def test_point_17__columns__are_chosen_and_kept(project: Project) -> None:
    web = Web(project)
    assert "Kind" not in re.findall(r'<th scope="col"[^>]*>(?:<a[^>]*>)?([^<]+)', web.get()[1])
    web.client.post(
        reverse("tenants:columns", args=["prompts"]), {"column": ["kind", "tags"], "next": web.base}
    )
    heads = re.findall(r'<th scope="col"[^>]*>(?:<a[^>]*>)?([^<]+)', web.get()[1])
    assert heads == ["Name", "Kind", "Tags"]


def test_point_17__every_match_across_pages__is_counted_and_changed_together(project: Project) -> None:
    web = Web(project)
    html = web.get("move/", select="all", folder="team")[1]
    assert "Move 30 prompts" in words(html)
    form = {"select": "all", "folder": "team", "to_folder": "squad", "matching": "30"}
    make_prompt(project=project, name="team/late")
    status, html = web.post("move/", form)
    assert status == 409
    assert "31 rows match now; it was 30" in html
    assert web.post("move/", {**form, "matching": "31"})[0] == 302
    with organization_scope(project.organization_id):
        assert Prompt.objects.filter(name__startswith="squad/").count() == 31
        assert not Prompt.objects.filter(name__startswith="team/").exists()


def test_point_17__chosen_rows__are_tagged_and_archived(project: Project) -> None:
    web = Web(project)
    with organization_scope(project.organization_id):
        ids = [prompt.public_id for prompt in Prompt.objects.filter(name__in=["p00", "p02", "p04"])]
    assert "Tag 3 prompts" in words(web.get("tag/", id=ids)[1])  # type: ignore[arg-type]
    form = {"id": ids, "matching": "3", "add": "Fresh, sorted", "remove": ["third"]}
    assert web.post("tag/", form)[0] == 302
    assert shown(web.get(tag="fresh", sort="name")[1]) == ["p00", "p02", "p04"]
    assert "Archive 3 prompts" in words(web.get("archive/", id=ids)[1])  # type: ignore[arg-type]
    assert web.post("archive/", {"id": ids, "matching": "3"})[0] == 302
    assert "No prompt matches" in web.get(tag="fresh")[1]
    assert shown(web.get(archived="only", sort="name")[1]) == ["p00", "p02", "p04"]
    assert web.post("restore/", {"id": ids, "archived": "only", "matching": "3"})[0] == 302
    assert len(shown(web.get(tag="fresh")[1])) == 3


def test_point_17__conflicting_move__changes_nothing_and_names_the_prompts(project: Project) -> None:
    make_prompt(project=project, name="p01")
    web = Web(project)
    form = {"select": "all", "folder": "team", "to_folder": "", "matching": "30"}
    status, html = web.post("move/", form)
    assert status == 409
    assert "Nothing was changed: “p01”" in html
    with organization_scope(project.organization_id):
        assert Prompt.objects.filter(name__startswith="team/").count() == 30


def test_point_17__export__is_exactly_the_filtered_set_with_all_columns(project: Project) -> None:
    web = Web(project)
    rows = download(web, folder="team", tag="third")
    assert sorted(row["name"] for row in rows) == sorted(f"team/p{n:02}" for n in range(60) if n % 6 == 3)
    assert {"id", "name", "description", "kind", "labels", "tags", "newest", "changed", "created"} <= set(
        rows[0]
    )
    assert json.loads(next(row for row in rows if row["name"] == "team/p03")["labels"]) == {"production": 1}
    assert len(download(web)) == 60
    found = download(web, **{"q": "warranty", "in": "newest"})
    assert [(row["name"], row["description"]) for row in found] == [("team/p07", "'=1+1")]
    response = web.client.get(web.base, {"export": "jsonl", "q": "p07"})
    lines = response.getvalue().decode().splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["team/p07"]

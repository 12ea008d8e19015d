"""Search in names and texts, with the index and past it; folders, tags and labels to choose from."""

import random
from unittest.mock import patch

import pytest
from django.db import connection

from apps.audit.actor import SYSTEM
from apps.core.scope import organization_scope
from apps.prompts import library, services
from apps.prompts.library import Archived, Where
from apps.prompts.models import Prompt
from apps.tenants.models import Project
from tests.factories import make_content, make_project, make_prompt

pytestmark = pytest.mark.django_db


def names(project: Project, **wanted: object) -> set[str]:
    """What a search finds, by name."""
    found = library.filter_prompts(project, **wanted)  # type: ignore[arg-type]
    return set(found.values_list("name", flat=True))


@pytest.fixture
def shelf(project: Project) -> Project:
    """Four prompts whose texts and names differ."""
    old = make_prompt(project=project, name="support/refund", content=make_content("Pay 50% back: {{ a }}"))
    make_prompt(project=project, name="support/de/hello", content=make_content("Grüße an die Kundin"))
    make_prompt(project=project, name="top", description="Refunds too", content=make_content("nothing_here"))
    make_prompt(project=project, name="other", content=make_content("A\nline with WARRANTY terms\nB"))
    with organization_scope(project.organization_id):
        services.publish_version(actor=SYSTEM, prompt=old, content=make_content("Now store credit only"))
        services.set_tags(actor=SYSTEM, prompt=old, tags=["billing"])
    return project


CASES = [
    ("refund", Where.NAMES, {"support/refund", "top"}),
    ("REFUND", Where.NEWEST, {"support/refund", "top"}),
    ("billing", Where.NAMES, {"support/refund"}),
    ("warranty t", Where.NAMES, set()),
    ("warranty t", Where.NEWEST, {"other"}),
    ("50% back", Where.NEWEST, set()),
    ("50% back", Where.EVERY, {"support/refund"}),
    ("store credit", Where.EVERY, {"support/refund"}),
    ("GRÜSSE", Where.NEWEST, set()),
    ("grüße", Where.NEWEST, {"support/de/hello"}),
    ("%", Where.NEWEST, set()),
    ("g_h", Where.EVERY, {"top"}),
    ("de", Where.NAMES, {"support/de/hello"}),
    ("ü", Where.NEWEST, {"support/de/hello"}),
]


@pytest.mark.parametrize(("words", "where", "expected"), CASES)
def test_search__with_and_without_index__finds_the_same(
    shelf: Project, words: str, where: Where, expected: set[str]
) -> None:
    with organization_scope(shelf.organization_id):
        assert names(shelf, search=words, where=where) == expected
        # As for words that are too common for the index.
        with patch.object(library, "SHORTEST_INDEXED", 10_000):
            assert names(shelf, search=words, where=where) == expected


def test_search__more_hits_than_the_index_is_good_for__finds_them_all(shelf: Project) -> None:
    with organization_scope(shelf.organization_id), patch.object(library, "MOST_HITS", 1):
        assert names(shelf, search="refund") == {"support/refund", "top"}
        assert names(shelf, search="qqq", where=Where.EVERY) == set()


def test_search__other_organization__is_never_found(shelf: Project) -> None:
    stranger = make_project()
    make_prompt(project=stranger, name="theirs", content=make_content("Warranty of theirs"))
    with organization_scope(shelf.organization_id):
        assert names(shelf, search="warranty", where=Where.EVERY) == {"other"}
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT prompt_id FROM prompts_search(%s, 'warranty', '%%warranty%%', true, true, 10)",
                [stranger.pk],
            )
            assert cursor.fetchall() == []
            cursor.execute("SELECT current_user")
            assert cursor.fetchone() == ("promptsaas_app",)


def test_found_lines__text__gives_the_line_with_the_match(shelf: Project) -> None:
    with organization_scope(shelf.organization_id):
        prompts = list(library.filter_prompts(shelf, search="warranty", where=Where.NEWEST))
        found = library.found_lines(prompts, "warranty", Where.NEWEST)[prompts[0].pk]
        assert (found.number, found.before, found.match, found.after) == (
            1,
            "line with ",
            "WARRANTY",
            " terms",
        )
        prompts = list(library.filter_prompts(shelf, search="50% back", where=Where.EVERY))
        assert library.found_lines(prompts, "50% back", Where.EVERY)[prompts[0].pk].number == 1
        assert library.found_lines(prompts, "support", Where.NAMES) == {}


def test_search__text_of_very_many_words__is_found_all_the_same(project: Project) -> None:
    letters = random.Random(1).choices([chr(0x4E00 + number) for number in range(20_000)], k=60_000)
    text = "".join(letters) + " needle"
    make_prompt(project=project, name="huge", content=make_content(text))
    with organization_scope(project.organization_id):
        assert names(project, search="needle", where=Where.NEWEST) == {"huge"}


def test_filters__folder_tag_label_archive__narrow_together(shelf: Project) -> None:
    with organization_scope(shelf.organization_id):
        prompt = Prompt.objects.get(name="support/refund")
        services.move_label(actor=SYSTEM, prompt=prompt, label="production", number=1)
        services.archive_prompt(actor=SYSTEM, prompt=Prompt.objects.get(name="other"))
        assert names(shelf, folder="support") == {"support/refund", "support/de/hello"}
        assert names(shelf, tag="billing", label="production") == {"support/refund"}
        assert names(shelf, label="latest") == {"support/refund", "support/de/hello", "top"}
        assert names(shelf, archived=Archived.ONLY) == {"other"}
        assert len(names(shelf, archived=Archived.ALSO)) == 4


def test_choices__of_prompts__name_folders_tags_and_labels(shelf: Project) -> None:
    with organization_scope(shelf.organization_id):
        prompt = Prompt.objects.get(name="top")
        services.move_label(actor=SYSTEM, prompt=prompt, label="canary", number=1)
        services.move_label(actor=SYSTEM, prompt=prompt, label="production", number=1)
        every = Prompt.objects.all()
        assert library.tags_of(every) == ["billing"]
        assert library.labels_among(every) == ["production", "canary"]
        assert library.labels_among(every.exclude(name="top")) == []
        assert library.all_folders(every) == ["support", "support/de"]
        assert library.folders_in(every, "") == [("support", 2)]
        assert library.folders_in(library.below(every, "support"), "support") == [("de", 1)]

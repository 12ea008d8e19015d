"""Page 27: what is shown to whom, what changes, and what a run says of itself."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from apps.core.scope import organization_scope
from apps.retention.models import DataClass, LegalHold, PurgeRun, RetentionPolicy
from apps.tenants.models import Organization, Project
from apps.tenants.roles import Role
from tests.factories import (
    make_hold,
    make_member,
    make_policy,
    make_project,
    make_prompt,
    make_run,
    owner_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def home(project: Project, client: Client) -> str:
    client.force_login(owner_of(project.organization))
    return f"/{project.organization.slug}/settings/privacy/"


def _policies(project: Project) -> set[tuple[str, str, int | None]]:
    with organization_scope(project.organization_id):
        rows = RetentionPolicy.objects.values_list("data_class", "project__slug", "days")
        return {(name, slug or "", days) for name, slug, days in rows}


def test_page__tells_what_is_kept_and_what_stays_and_until_when(client: Client, home: str) -> None:
    page = client.get(home).content.decode()
    year = timezone.now().year
    for expected in (
        "90 days",
        "the plan&#x27;s maximum",
        "Last purges",
        f"1 January {year + 11}",
        "Backups",
    ):
        assert expected in page, expected


def test_page__for_a_viewer__shows_days_but_neither_reasons_nor_buttons(
    client: Client, project: Project
) -> None:
    make_hold(project=project, reason="Miller against us")
    viewer = make_member(organization=project.organization, role=Role.VIEWER)
    client.force_login(viewer)
    home = f"/{project.organization.slug}/settings/privacy/"
    page = client.get(home).content.decode()
    assert "1 hold in force" in page
    assert "Miller" not in page
    assert "Place legal hold" not in page
    assert client.get(f"{home}holds/").status_code == 403
    assert client.post(f"{home}classes/run_payloads/").status_code == 403


def test_class__days_for_all_and_for_one_project__are_saved_and_taken_back(
    client: Client, project: Project, home: str
) -> None:
    address = f"{home}classes/run_payloads/"
    own = project.public_id
    form = {
        "organization-keep": "days",
        "organization-days": "30",
        "organization-stores": "store",
        f"{own}-keep": "days",
        f"{own}-days": "7",
        f"{own}-stores": "never",
    }
    assert client.post(address, form).status_code == 302
    assert _policies(project) == {("run_payloads", "", 30), ("run_payloads", project.slug, 7)}
    with organization_scope(project.organization_id):
        assert Project.objects.get(pk=project.pk).stores_content is False
    page = client.get(home).content.decode()
    assert f"{project.name}: 7 days" in page
    assert f"{project.name}: never stored" in page
    form |= {f"{own}-keep": "follow", f"{own}-stores": "", "organization-keep": "keep"}
    assert client.post(address, form).status_code == 302
    assert _policies(project) == {("run_payloads", "", None)}
    with organization_scope(project.organization_id):
        assert Project.objects.get(pk=project.pk).stores_content is None
        assert Organization.objects.get().stores_content is True


@pytest.mark.parametrize(
    ("name", "days", "words"),
    [
        ("run_payloads", "91", "keeps this for at most 90 days"),
        ("run_payloads", "", "Say how many days"),
        ("audit", "29", "greater than or equal to 30"),
    ],
)
def test_class__days_that_cannot_be__are_refused_with_the_reason(
    client: Client, project: Project, home: str, name: str, days: str, words: str
) -> None:
    form = {"organization-keep": "days", "organization-days": days, "organization-stores": "store"}
    form |= {f"{project.public_id}-keep": "follow", f"{project.public_id}-stores": ""}
    answer = client.post(f"{home}classes/{name}/", form)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert _policies(project) == set()


def test_hold__placed_and_released_with_reasons__stays_on_record(
    client: Client, project: Project, home: str
) -> None:
    prompt = make_prompt(project=project)
    form = {"project": project.public_id, "prompt": prompt.name, "reason": "Case 7"}
    assert client.post(f"{home}holds/new/", form).status_code == 302
    assert client.post(f"{home}holds/new/", form).status_code == 422
    assert (
        "no prompt of this name"
        in client.post(f"{home}holds/new/", form | {"prompt": "nothing"}).content.decode()
    )
    with organization_scope(project.organization_id):
        hold = LegalHold.objects.get()
    assert (hold.prompt_id, hold.placed_by_id) == (prompt.pk, owner_of(project.organization).pk)
    release = f"{home}holds/{hold.public_id}/release/"
    assert client.post(release, {"reason": " "}).status_code == 422
    assert client.post(release, {"reason": "Settled"}).status_code == 302
    assert client.post(release, {"reason": "Settled"}).status_code == 422
    page = client.get(f"{home}holds/").content.decode()
    assert "Case 7" in page
    assert "Settled" in page


def test_purge__asks_for_the_name_and_shows_what_is_due(client: Client, project: Project, home: str) -> None:
    assert "Nothing is due" in client.get(f"{home}purge/").content.decode()
    make_policy(organization=project.organization, data_class=DataClass.RUN_PAYLOADS, days=1)
    make_run(project=project, at=timezone.now() - timedelta(days=2))
    assert "Content of runs" in client.get(f"{home}due/").content.decode()
    assert client.post(f"{home}purge/", {"typed": "wrong"}).status_code == 422
    assert client.post(f"{home}purge/", {"typed": project.organization.name}).status_code == 302
    assert client.post(f"{home}purge/", {"typed": project.organization.name}).status_code == 409
    with organization_scope(project.organization_id):
        assert PurgeRun.objects.get().requested_by_id == owner_of(project.organization).pk
    assert "Running" in client.get(home).content.decode()


def test_run__tells_until_when_it_is_kept_or_that_it_is_held(
    client: Client, project: Project, home: str
) -> None:
    run = make_run(project=project, at=timezone.now() - timedelta(days=2))
    address = f"/{project.organization.slug}/{project.slug}/retention/runs/{run.public_id}/"
    assert (
        address
        in client.get(f"/{project.organization.slug}/{project.slug}/runs/{run.public_id}/").content.decode()
    )
    assert "kept until" in client.get(address).content.decode()
    make_policy(organization=project.organization, data_class=DataClass.RUN_PAYLOADS, days=1)
    assert "goes in the coming night" in client.get(address).content.decode()
    make_hold(project=project)
    assert "held: no policy deletes it" in client.get(address).content.decode()
    bare = make_run(project=project, record_payload=False)
    answer = client.get(f"/{project.organization.slug}/{project.slug}/retention/runs/{bare.public_id}/")
    assert "not stored" in answer.content.decode()

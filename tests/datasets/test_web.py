"""The pages of datasets, without JavaScript."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.core.scope import organization_scope
from apps.datasets.models import DatasetVersion
from apps.tenants.models import Project
from tests.factories import make_dataset_import, make_dataset_version, make_project, owner_of

pytestmark = pytest.mark.django_db

CONTENT = b"id;review;sentiment\n1;Good;Positive\n2;Bad\n3;<script>alert(1)</script>;Negative\n"


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def web(client: Client, project: Project) -> Client:
    client.force_login(owner_of(project.organization))
    return client


def path(project: Project, rest: str = "") -> str:
    return f"/{project.organization.slug}/{project.slug}/datasets/{rest}"


def upload(web: Client, project: Project, content: bytes = CONTENT) -> str:
    answer = web.post(path(project, "new/"), {"file": SimpleUploadedFile("reviews.csv", content)})
    assert answer.status_code == 302
    return str(answer.headers["Location"])


def mapping(**changes: str) -> dict[str, str]:
    columns = (("metadata", "id", "text"), ("variable", "review", "text"), ("expected", "sentiment", "text"))
    data = {"dataset": "Reviews"}
    for number, (role, name, kind) in enumerate(columns):
        data |= {f"role_{number}": role, f"name_{number}": name, f"type_{number}": kind}
    return data | changes


def test_list__no_datasets__says_what_a_dataset_is(web: Client, project: Project) -> None:
    page = web.get(path(project))
    assert page.status_code == 200
    assert "No datasets yet" in page.content.decode()


def test_upload_to_detail__good_and_bad_rows__shows_facts_problems_and_rows(
    web: Client, project: Project
) -> None:
    address = upload(web, project)
    page = web.get(address).content.decode()
    assert "semicolon-separated" in page
    assert "UTF-8" in page
    assert "2 columns instead of 3" in page
    answer = web.post(address, mapping())
    detail = web.get(answer.headers["Location"]).content.decode()
    assert "1 row of the file could not be used" in detail
    assert "&lt;script&gt;" in detail
    assert "<script>alert" not in detail
    with organization_scope(project.organization_id):
        version = DatasetVersion.objects.get()
    problems = web.get(path(project, f"versions/{version.public_id}/problems/"))
    assert problems.headers["Content-Disposition"].startswith("attachment")
    assert problems.content.decode().splitlines()[1].startswith("3,2 columns instead of 3")
    assert web.get(address).status_code == 302


def test_upload__nothing_chosen__says_so(web: Client, project: Project) -> None:
    answer = web.post(path(project, "new/"))
    assert answer.status_code == 422
    assert "Choose a file first." in answer.content.decode()


def test_upload__unreadable__says_why_and_keeps_nothing(web: Client, project: Project) -> None:
    answer = web.post(path(project, "new/"), {"file": SimpleUploadedFile("x.csv", b"[1]")})
    assert answer.status_code == 422
    assert "JSON array" in answer.content.decode()


def test_mapping__impossible__keeps_what_was_chosen(web: Client, project: Project) -> None:
    answer = web.post(upload(web, project), mapping(role_1="ignore", dataset="Kept name"))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Map at least one column to a variable." in page
    assert "Kept name" in page


def test_format__another_delimiter__reads_again(web: Client, project: Project) -> None:
    address = upload(web, project, b"a,b;c\n1,2;3\n")
    web.post(f"{address}format/", {"delimiter": ";", "encoding": "utf-8", "has_header": "on"})
    assert "2 columns" in web.get(address).content.decode()


def test_detail__many_rows__pages_by_number(web: Client, project: Project) -> None:
    content = b"review\n" + b"".join(b"row %d\n" % number for number in range(1, 121))
    answer = web.post(
        upload(web, project, content),
        {"dataset": "Long", "role_0": "variable", "name_0": "review", "type_0": "text"},
    )
    address = answer.headers["Location"]
    page = web.get(f"{address}?version=1&from=51").content.decode()
    assert "Rows 51 to 100 of 120" in page
    assert "row 51" in page
    assert "row 50<" not in page
    assert web.get(f"{address}?version=9").status_code == 404


def test_list__ten_datasets__costs_the_queries_of_one(
    web: Client, project: Project, django_assert_max_num_queries: object
) -> None:
    counts = []
    # The first visit also notes that the member and the session are active.
    web.get(path(project))
    for number in range(10):
        make_dataset_version(project=project, name=f"Dataset {number}")
        if number in {0, 9}:
            with django_assert_max_num_queries(15) as captured:  # type: ignore[operator]
                assert web.get(path(project)).status_code == 200
            counts.append(len(captured))
    assert counts[0] == counts[1]


def test_pages__stranger__sees_404_everywhere(client: Client, project: Project) -> None:
    version = make_dataset_version(project=project)
    waiting = make_dataset_import(project=project)
    client.force_login(owner_of(make_project().organization))
    for rest in ("", f"{version.dataset.public_id}/", f"imports/{waiting.public_id}/"):
        assert client.get(path(project, rest)).status_code == 404

"""Pages and API of results, failures and comparisons."""

import pytest
from django.test import Client

from apps.audit.actor import SYSTEM
from apps.batches import queries, services
from apps.batches.models import BatchItem, BatchJob, ItemStatus, JobStatus
from apps.batches.planning import VariantChoice
from apps.batches.results import comparing, failures, pages
from apps.batches.results.failures import count_failures
from apps.batches.results.selecting import ResultFilters
from apps.batches.rules import RowChoice
from apps.batches.services.starting import BatchOptions
from apps.core.errors import InvalidRequest
from apps.core.scope import organization_scope
from apps.runs.models import Feedback
from apps.tenants.models import Project
from tests.batches.support import reload, run_batch_pump
from tests.batches.test_api import Api
from tests.factories import make_batch, make_project, owner_of

pytestmark = pytest.mark.django_db(transaction=True)

MATRIX = BatchOptions(variants=(VariantChoice(number=1), VariantChoice(number=1, model="sandbox/fast")))


def room_of(client: Client, project: Project) -> str:
    """Sign the owner in; the address of the project's batches."""
    client.force_login(owner_of(project.organization))
    return f"/{project.organization.slug}/{project.slug}/batches/"


def numbers(job: BatchJob, filters: ResultFilters, **places: int) -> list[int]:
    with organization_scope(job.organization_id):
        return [row.item.number for row in pages.result_page(reload(job), filters, **places).rows]


def end_rows(job: BatchJob, failed: dict[int, str], *, total: int) -> None:
    """Write all rows as ended: these failed with these codes, the others succeeded."""
    with organization_scope(job.organization_id):
        BatchItem.objects.bulk_create(
            BatchItem(
                organization_id=job.organization_id,
                batch=job,
                number=number,
                status=ItemStatus.FAILED if number in failed else ItemStatus.SUCCEEDED,
                error_code=failed.get(number, ""),
                error_message=f"row {number}" if number in failed else "",
                latency_ms=number,
                matches=None if number in failed else number % 3 > 0,
            )
            for number in range(1, total + 1)
        )
        BatchJob.objects.filter(pk=job.pk).update(
            next_number=total + 1,
            pending=0,
            failed=len(failed),
            succeeded=total - len(failed),
            total=total,
            status=JobStatus.COMPLETED,
        )


def test_result_page__by_number__has_neighbours_in_both_directions() -> None:
    job = make_batch(rows=7)

    with organization_scope(job.organization_id):
        first = pages.result_page(job, limit=3)
        middle = pages.result_page(job, after=first.after or 0, limit=3)
        back = pages.result_page(job, before=middle.before or 0, limit=3)

    assert [row.item.number for row in middle.rows] == [4, 5, 6]
    assert (first.before, first.after, middle.after) == (None, 3, 6)
    assert [row.item.number for row in back.rows] == [1, 2, 3]
    assert [row.item.status for row in back.rows] == ["pending"] * 3


def test_result_page__filters__find_taken_and_untaken_rows() -> None:
    job = make_batch(rows=6)
    end_rows(job, {2: "provider_failed", 5: "output_invalid"}, total=6)
    with organization_scope(job.organization_id):
        BatchJob.objects.filter(pk=job.pk).update(total=8, pending=2, status=JobStatus.IN_PROGRESS)

    assert numbers(job, ResultFilters(status="failed")) == [2, 5]
    assert numbers(job, ResultFilters(code="output_invalid")) == [5]
    assert numbers(job, ResultFilters(match="differs")) == [3, 6]
    assert numbers(job, ResultFilters(match="match")) == [1, 4]
    assert numbers(job, ResultFilters(status="pending")) == [7, 8]
    assert numbers(job, ResultFilters(status="pending"), before=8) == [7]
    assert numbers(job, ResultFilters(status="running")) == []
    assert numbers(job, ResultFilters(search="product 4")) == [4]


def test_result_page__a_window_without_a_match__says_how_far_it_looked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pages, "SEARCHED_WINDOW", 2)
    monkeypatch.setattr(pages, "LOOKING_SECONDS", 0)
    job = make_batch(rows=6)
    end_rows(job, {}, total=6)

    with organization_scope(job.organization_id):
        page = pages.result_page(reload(job), ResultFilters(search="product 4"))
        rest = pages.result_page(reload(job), ResultFilters(search="product 4"), after=page.after or 0)

    assert (page.rows, page.after, page.looked_to) == ([], 2, 2)
    assert [row.item.number for row in rest.rows] == [4]


def test_sorted_page__of_a_small_batch_only__puts_the_slowest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_batch(rows=4)
    end_rows(job, {}, total=4)

    with organization_scope(job.organization_id):
        page = pages.sorted_page(reload(job), ResultFilters(), "-latency", limit=2)
        assert [row.item.number for row in page.rows] == [4, 3]
        assert (page.before, page.after) == (None, 2)
        monkeypatch.setattr(pages, "SORTABLE_ROWS", 3)
        with pytest.raises(InvalidRequest, match="Up to 3 rows can be sorted"):
            pages.sorted_page(reload(job), ResultFilters(), "latency")


def test_failures__while_it_runs__are_counted_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_batch(rows=6)
    end_rows(job, {1: "b", 2: "a", 3: "a", 4: "a", 5: "b"}, total=6)

    with organization_scope(job.organization_id):
        found = reload(job)
        assert [(each.code, each.rows, each.number, each.message) for each in failures.failures(found)] == [
            ("a", 3, 2, "row 2"),
            ("b", 2, 1, "row 1"),
        ]
        monkeypatch.setattr(failures, "MOST_COUNTED", 2)
        # One reason is beyond the bound: the rest of all failures is its own.
        assert [(each.code, each.rows, each.more) for each in failures.failures(found)] == [
            ("a", 3, False),
            ("b", 2, False),
        ]
        monkeypatch.setattr(failures, "MOST_COUNTED", 1)
        assert [(each.rows, each.more) for each in failures.failures(found)] == [(1, True), (1, True)]
        assert {each["code"]: each["rows"] for each in count_failures(found)} == {"a": 3, "b": 2}


def test_compare__two_batches_over_the_same_rows__counts_what_changed() -> None:
    first = make_batch(rows=4)
    second = make_batch(project=first.project, rows=4)
    with organization_scope(first.organization_id):
        with pytest.raises(InvalidRequest, match="same dataset, and re-runs of rows"):
            comparing.compare(*(comparing.side_of(each, 0, []) for each in (first, second)))
        second.dataset_version = first.dataset_version
        second.save()
    end_rows(first, {4: "x"}, total=4)
    end_rows(second, {}, total=4)
    with organization_scope(first.organization_id):
        BatchItem.objects.filter(batch=second, number=1).update(
            parsed={"sentiment": "Negative"}, matches=False
        )
        BatchItem.objects.filter(batch=second, number=3).update(matches=True)
        left, right = (comparing.side_of(reload(each), 0, []) for each in (first, second))

        found = comparing.compare(left, right)

        assert (found.answered, found.same, found.changed) == (3, 2, 1)
        assert (found.gained, found.lost, found.only_first, found.only_second) == (1, 1, 0, 1)
        assert [row.row for row in comparing.compared_page(left, right, "lost").rows] == [1]
        assert [row.row for row in comparing.compared_page(left, right, "only_second").rows] == [4]


def test_compare__a_re_run_of_some_rows__matches_them_with_their_first() -> None:
    first = make_batch(rows=4)
    end_rows(first, {2: "x", 4: "x"}, total=4)
    with organization_scope(first.organization_id):
        again = services.rerun_batch(actor=SYSTEM, job=reload(first), choice=RowChoice(codes=("x",)))
    end_rows(again, {}, total=2)

    with organization_scope(first.organization_id):
        left, right = (comparing.side_of(reload(each), 0, []) for each in (first, again))
        found = comparing.compare(left, right)
        page = comparing.compared_page(left, right, "all")
        assert [each.pk for each in queries.list_comparable(reload(first))] == [again.pk]

    assert (found.answered, found.only_second) == (0, 2)
    assert [(each.row, each.second.item.number) for each in page.rows] == [(2, 1), (4, 2)]


def test_pages__of_a_matrix__stand_side_by_side_and_compare(client: Client) -> None:
    project = make_project()
    room = room_of(client, project)
    job = make_batch(project=project, rows=2, options=MATRIX)
    run_batch_pump()
    address = f"{room}{job.public_id}/"

    both = client.get(f"{address}results/").content.decode()
    one = client.get(f"{address}results/?variant=2&sort=-latency").content.decode()
    compared = client.get(f"{address}compare/?variant=1&with={job.public_id}:2&kind=all").content.decode()

    assert "Answers side by side" in both
    assert "Great product 2." in both
    assert one.count("Great product") == 2
    assert "Same answer" in compared
    assert client.get(f"{address}compare/?with={job.public_id}:9").status_code == 422
    heads = client.get(f"{address}download/?format=csv&variant=2").getvalue().decode().splitlines()
    assert heads[0].startswith("row,variant,version,model,review")
    assert [line.split(",")[:2] for line in heads[1:]] == [["1", "2"], ["2", "2"]]


def test_mark__an_answer__is_feedback_on_its_run(client: Client) -> None:
    project = make_project()
    room = room_of(client, project)
    job = make_batch(project=project, rows=1)
    address = f"{room}{job.public_id}/results/"
    run_batch_pump()

    answer = client.post(f"{address}mark/", {"row": "1", "mark": "bad", "back": address})

    assert (answer.status_code, answer["Location"]) == (302, address)
    assert "You marked it as bad" in client.get(f"{address}?open=1").content.decode()
    with organization_scope(project.organization_id):
        assert Feedback.objects.get().score == 1
    assert client.post(f"{address}mark/", {"row": "99", "mark": "bad"}).status_code == 404


def test_pages__without_a_success__tell_the_reasons_first(client: Client) -> None:
    project = make_project()
    room = room_of(client, project)
    job = make_batch(project=project, rows=2)
    end_rows(job, {1: "provider_timeout", 2: "provider_timeout"}, total=2)

    results = client.get(f"{room}{job.public_id}/results/").content.decode()

    assert results.index("The reasons come first") < results.index("Search inputs")
    assert (
        "The provider did not answer in time"
        in client.get(f"{room}{job.public_id}/failures/").content.decode()
    )


def test_download__asked_by_head__sends_no_rows(client: Client) -> None:
    project = make_project()
    room = room_of(client, project)
    job = make_batch(project=project, rows=2)

    answer = client.head(f"{room}{job.public_id}/download/?format=parquet")

    assert answer["Content-Type"] == "application/vnd.apache.parquet"
    assert ".parquet" in answer["Content-Disposition"]
    assert not answer.streaming


def test_api__rows_failures_and_comparison() -> None:
    project = make_project()
    api = Api(project)
    job = make_batch(project=project, rows=3)
    path = f"batches/{job.public_id}"
    waiting = api.get(f"{path}/items?limit=2")
    assert [(row["id"], row["row"], row["status"]) for row in waiting["data"]] == [
        (None, 1, "pending"),
        (None, 2, "pending"),
    ]
    rest = api.get(f"{path}/items?starting_after={waiting['next_cursor']}")
    assert [row["row"] for row in rest["data"]] == [3]
    end_rows(job, {2: "provider_failed"}, total=3)

    assert [row["row"] for row in api.get(f"{path}/items?code=provider_failed")["data"]] == [2]
    assert api.get(f"{path}/items?match=maybe", status=400)["error"]["param"] == "match"
    assert api.get(f"{path}/failures")["data"][0]["example_message"] == "row 2"
    found = api.get(f"{path}/comparison?with={job.public_id}&kind=all")
    assert (found["answered"], found["agreement"], len(found["data"])) == (2, 1.0, 3)
    assert api.get(f"{path}/comparison", status=400)["error"]["param"] == "with"
    assert (
        api.get(f"{path}/comparison?with={job.public_id}&variant=2", status=404)["error"]["param"]
        == "variant"
    )

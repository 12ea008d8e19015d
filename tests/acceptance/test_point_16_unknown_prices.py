"""Point 16: an unknown price is shown as unknown everywhere, never as $0, and past costs never change."""

import re
from decimal import Decimal

import pytest
from django.test import Client

from apps.analytics.counting.waiting import count_waiting
from apps.audit.actor import SYSTEM
from apps.batches.services.starting import BatchOptions
from apps.core.scope import organization_scope
from apps.providers import services
from apps.providers.models import PriceOverride
from apps.runs.models import Run
from apps.runs.types import RunResult
from apps.tenants.models import Project
from tests.batches.support import run_batch_pump
from tests.factories import make_batch, make_connection, make_content, make_price, make_project, owner_of
from tests.fake_provider import FakeProvider, fake_provider
from tests.runs.support import make_request, with_runtime, within_a_second

__all__ = ["fake_provider"]

pytestmark = pytest.mark.django_db(transaction=True)

MODEL = "local/echo"
ZERO = re.compile(r"\$0(?:\.0+)?(?![.\d])")


@pytest.fixture
def project(fake_provider: FakeProvider) -> Project:
    """A project whose only connection is a server that no price list knows."""
    project = make_project()
    make_connection(project=project, name="local", base_url=fake_provider.base_url, models=("echo",))
    return project


@pytest.fixture
def web(client: Client, project: Project) -> Client:
    client.force_login(owner_of(project.organization))
    client.defaults["HTTP_PROMPTSAAS_PROJECT"] = project.public_id
    return client


def run(project: Project) -> RunResult:
    messages = ({"role": "user", "content": "one two three"},)
    return with_runtime(
        lambda runtime: runtime.engine.execute(make_request(project, model=MODEL, messages=messages))
    )


def page(web: Client, project: Project, path: str) -> str:
    """The text of a page of the project."""
    return web.get(f"/{project.organization.slug}/{project.slug}/{path}").content.decode()


def says_unknown(text: str) -> bool:
    """Whether a page spells the unknown cost out and shows no zero in its place."""
    return "unknown" in text and ZERO.search(text) is None


def test_point_16__run_of_unknown_price__is_unknown_in_list_detail_prices_and_api(
    web: Client, project: Project
) -> None:
    run(project)
    with organization_scope(project.organization_id):
        stored = Run.objects.get()
    assert (stored.price_status, stored.price_amount) == ("unknown", None)
    assert says_unknown(page(web, project, "runs/?range=all"))
    assert says_unknown(page(web, project, f"runs/{stored.public_id}/"))
    listed = web.get("/api/v1/runs").json()["data"][0]
    single = web.get(f"/api/v1/runs/{stored.public_id}").json()
    for told in (listed, single):
        assert (told["cost"]["status"], told["cost"]["amount"]) == ("unknown", None)
    models = {row["id"]: row["price_per_million_tokens"] for row in web.get("/api/v1/models").json()["data"]}
    assert (models[MODEL]["status"], models[MODEL]["input"]) == ("unknown", None)
    assert says_unknown(page(web, project, "settings/providers/prices/"))
    waiting = page(web, project, "runs/unknown-prices/")
    assert MODEL in waiting
    assert "prices/new/?model=local%2Fecho" in waiting


def test_point_16__batch_of_unknown_price__is_unknown_in_pages_exports_and_api(
    web: Client, project: Project
) -> None:
    job = make_batch(project=project, rows=2, content=make_content(), options=BatchOptions(model=MODEL))
    run_batch_pump()
    root = f"batches/{job.public_id}/"
    for path in ("batches/", root, f"{root}results/"):
        assert says_unknown(page(web, project, path)), path
    for kind in ("csv", "jsonl"):
        address = f"/{project.organization.slug}/{project.slug}/{root}download/?format={kind}"
        exported = web.get(address).getvalue().decode()
        rows = [line for line in exported.splitlines() if "Great product" in line]
        assert len(rows) == 2
        assert all("unknown" in row for row in rows), exported
    items = web.get(f"/api/v1/batches/{job.public_id}/items").json()["data"]
    assert {(item["cost_status"], item["cost_usd"]) for item in items} == {("unknown", None)}


def test_point_16__price_changes__price_new_runs_and_leave_past_costs(project: Project) -> None:
    before = run(project)
    first = make_price(project=project, pattern=MODEL, input_price="100000", output_price="200000")
    middle = run(project)
    with organization_scope(project.organization_id):
        services.end_price(actor=SYSTEM, override=PriceOverride.objects.get(pk=first.pk))
    second = make_price(project=project, pattern="local/*", input_price="0", output_price="0")
    after = run(project)
    with organization_scope(project.organization_id):
        kept = {each.pk: each for each in Run.objects.all()}
    told = [kept[result.run_id] for result in (before, middle, after)]
    assert [each.price_status for each in told] == ["unknown", "priced", "free"]
    # 11 tokens in, of which 3 from the cache at the price of the others, and 5 out.
    assert [each.price_amount for each in told] == [None, Decimal("2.1"), Decimal(0)]
    assert [each.price_snapshot.get("price_id") for each in told] == [
        None,
        first.public_id,
        second.public_id,
    ]


def test_point_16__price_set_while_serving__holds_within_a_second(project: Project) -> None:
    messages = ({"role": "user", "content": "one two three"},)

    async def use(runtime: object) -> RunResult:
        async def ask() -> RunResult:
            request = make_request(project, model=MODEL, messages=messages)
            result: RunResult = await runtime.engine.execute(request)  # type: ignore[attr-defined]
            return result

        await ask()
        await runtime.calls.run(lambda: make_price(project=project, pattern=MODEL))  # type: ignore[attr-defined]
        return await within_a_second(
            ask, lambda result: result.price is not None and result.price.status == "priced"
        )

    found = with_runtime(use).price
    assert found is not None
    assert found.status == "priced"


def test_point_16__figures_of_unknown_price__are_unknown_in_api_and_file(
    web: Client, project: Project
) -> None:
    run(project)
    count_waiting()
    for kind in ("series", "summary"):
        told = web.get(f"/api/v1/analytics/{kind}?metrics=cost,cost_per_request&group_by=model")
        body = told.json()
        groups = body["lines"] if kind == "series" else [*body["rows"], body]
        for group in groups:
            assert group["total"] == {"cost": None, "cost_per_request": None, "unknown_price": 1}
        exported = web.get(f"/api/v1/analytics/{kind}?metrics=cost&group_by=model&format=csv")
        text = exported.content.decode()
        assert any(line.startswith(MODEL) and line.endswith(",unknown,1") for line in text.splitlines())
        assert says_unknown(text)

"""The choice of delivery, what it costs, and what lies at the provider: by page and by API."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.batches.models import BatchJob, Delivery
from apps.batches.provider_models import ProviderBatch, ProviderState
from apps.batches.services.starting import BatchOptions
from apps.core.errors import InvalidRequest
from apps.core.scope import organization_scope
from apps.providers.models import ProviderCredential
from apps.tenants.models import Project
from tests.access.test_pages import AROUND, MOST_STATEMENTS
from tests.batches.test_api import Api
from tests.factories import (
    make_batch,
    make_connection,
    make_content,
    make_dataset_version,
    make_price,
    make_project,
    make_prompt,
    owner_of,
)

pytestmark = pytest.mark.django_db

OPENAI = "openai/gpt-4o-mini"


def offering_project() -> Project:
    """A project with a connection to OpenAI itself."""
    project = make_project()
    make_connection(project=project, name="openai", base_url="https://api.openai.com/v1")
    return project


def at_provider_since(job: BatchJob, moment: datetime) -> None:
    with organization_scope(job.organization_id):
        ProviderBatch.objects.create(
            organization_id=job.organization_id,
            batch=job,
            connection="openai",
            model=OPENAI,
            state=ProviderState.IN_PROGRESS,
            external_id="batch_abc",
            requests=2,
            answered=1,
            submitted_at=moment,
        )


def test_new_batch__connection_with_a_batch_endpoint__offers_both_prices(client: Client) -> None:
    project = offering_project()
    client.force_login(owner_of(project.organization))
    room = f"/{project.organization.slug}/{project.slug}/batches/"
    prompt = make_prompt(project=project, content=make_content(model=OPENAI), labels={"production": 1})
    version = make_dataset_version(project=project)
    form: dict[str, Any] = {
        "prompt": f"{prompt.public_id}:label:production",
        "dataset": version.public_id,
        "concurrency": "4",
    }
    assert "batch endpoint: within a day" in client.get(f"{room}new/").content.decode()
    estimate = client.post(f"{room}new/estimate/", form).content.decode()
    assert "Provider&#x27;s batch endpoint" in estimate or "Provider's batch endpoint" in estimate

    started = client.post(f"{room}new/", form | {"action": "start", "delivery": "provider_batch"})

    assert started.status_code == 302, started.content.decode()
    with organization_scope(project.organization_id):
        job = BatchJob.objects.get()
    assert job.delivery == Delivery.PROVIDER_BATCH
    direct, half = job.estimate["direct"]["cost_high"], job.estimate["cost_high"]
    assert float(half) == pytest.approx(float(direct) / 2, rel=0.01)
    at_provider_since(job, timezone.now())
    with CaptureQueriesContext(connection) as captured:
        shown = client.get(started["Location"]).content.decode()
    assert sum(not query["sql"].startswith(AROUND) for query in captured) <= MOST_STATEMENTS
    assert "1 batch, 2 rows" in shown
    assert "batch_abc" in shown


def test_new_batch__only_the_sandbox__has_no_choice(client: Client) -> None:
    project = make_project()
    client.force_login(owner_of(project.organization))
    make_prompt(project=project)
    make_dataset_version(project=project)
    shown = client.get(f"/{project.organization.slug}/{project.slug}/batches/new/").content.decode()
    assert 'name="delivery"' not in shown


def test_api__delivery__is_estimated_chosen_and_told() -> None:
    project = offering_project()
    prompt = make_prompt(project=project, content=make_content(model=OPENAI), labels={"production": 1})
    version = make_dataset_version(project=project)
    api = Api(project)
    asked = {"prompt": prompt.name, "dataset_version": version.public_id}

    plan = api.post("batches/estimate", asked)
    assert [(each["delivery"], each["available"]) for each in plan["deliveries"]] == [
        ("direct", True),
        ("provider_batch", True),
    ]
    started = api.post("batches", asked | {"delivery": "provider_batch"}, 202)
    with organization_scope(project.organization_id):
        job = BatchJob.objects.get()
    at_provider_since(job, timezone.now())
    told = api.get(f"batches/{started['id']}")
    assert told["delivery"] == "provider_batch"
    assert [(each["state"], each["provider_id"]) for each in told["provider_batches"]] == [
        ("in_progress", "batch_abc")
    ]

    with organization_scope(project.organization_id):
        ProviderCredential.objects.update(offers_batches=False)
    refused = api.post("batches", asked | {"delivery": "provider_batch"}, 400)["error"]
    assert (refused["code"], refused["param"]) == ("delivery_unavailable", "delivery")


def test_start__cap_without_a_known_batch_price__is_refused() -> None:
    project = offering_project()
    with organization_scope(project.organization_id):
        ProviderCredential.objects.update(model_ids=["gpt-4-32k"])
    make_price(project=project, pattern="openai/*", batch_discount=None)
    options = BatchOptions(delivery=Delivery.PROVIDER_BATCH, model="openai/gpt-4-32k", cost_cap=Decimal(1))
    with pytest.raises(InvalidRequest, match="No batch price is known") as refused:
        make_batch(project=project, options=options)
    assert refused.value.code == "price_unknown"

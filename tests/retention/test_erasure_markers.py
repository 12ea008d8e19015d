"""Done-when: a subject's markers stand in every text field of every table; after the erasure none is left
outside of what the page says stays."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis as redis_library
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.mail import EmailMessage
from django.test import Client
from django.utils import timezone

from apps.audit import queries as audit_queries
from apps.audit import sealing
from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import outbox
from apps.core.logs import JSONFormatter
from apps.core.mail import OutboxBackend
from apps.core.scope import organization_scope, system_scope
from apps.retention.erasure.organizations import unscoped
from apps.retention.erasure.plan import steps_of
from apps.retention.erasure.requests import (
    Search,
    request_end_user_erasure,
    request_member_erasure,
    request_organization_erasure,
)
from apps.retention.erasure.work import work_off
from apps.retention.inventory import Treatment
from apps.retention.inventory_table import PARTS
from apps.retention.models import ErasureRequest, ErasureState, LegalHold
from apps.runs.models import Run
from apps.tenants.access import user_actor
from apps.tenants.models import Organization, Project, User, UserSession
from apps.tenants.roles import Role
from tests.factories import TENANT_FACTORIES, make_member, make_project, make_user, owner_of
from tests.retention.markers import GLOBAL, NO_WORDS, Field, OwnerCursor, Planter, left_over

pytestmark = pytest.mark.django_db(transaction=True)

MARKER = "mk7q2zx9"


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """Every log line of the test, as a process would write it."""
    written: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(self.format(record))

    collector = Collector(logging.DEBUG)
    collector.setFormatter(JSONFormatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(collector)
    root.setLevel(logging.INFO)
    yield written
    root.removeHandler(collector)
    root.setLevel(level)


@pytest.fixture
def project(settings: Any) -> Project:
    settings.ERASURE_SETTLE_SECONDS = 0
    return make_project()


def rule_fields(kind: str, *treatments: Treatment) -> set[Field]:
    return {
        (part.model, field)
        for part in PARTS
        if part.rule(kind).treatment in treatments
        for field in part.fields
    }


def seed(project: Project, person: User) -> None:
    """A row of every model, and the person's own: session, factors, mail, audit, staff's log."""
    for label in sorted(TENANT_FACTORIES):
        TENANT_FACTORIES[label](project)
    with system_scope():
        # One that stands forbids every erasure: it has a test of its own.
        LegalHold.all_organizations.update(released_at=timezone.now())
    client = Client()
    client.force_login(person)
    UserSession.objects.get_or_create(
        user=person,
        session_id=client.session.session_key,
        defaults={"created_at": timezone.now(), "last_seen_at": timezone.now()},
    )
    EmailAddress.objects.get_or_create(user=person, defaults={"email": person.email, "primary": True})
    Authenticator.objects.create(user=person, type=Authenticator.Type.RECOVERY_CODES, data={})
    LogEntry.objects.create(
        user=person,
        content_type=ContentType.objects.get_for_model(User),
        object_id=str(person.pk),
        object_repr="x",
        action_flag=2,
    )
    with organization_scope(project.organization_id):
        # Not through Django, whose tests put another backend in place of ours.
        OutboxBackend().send_messages([EmailMessage("Subject", "Text", None, [person.email])])
        outbox.write("member.joined", {"membership": "x"}, project.organization_id)
        audit.record(
            actor=Actor(kind="user", id=person.pk, role="owner", display=MARKER, ip="203.0.113.9"),
            action="test.done",
            organization_id=project.organization_id,
            target=project,
            changes={"text": (None, f"{MARKER} " * 50)},
            personal_changes={"email": (None, f"{MARKER}@example.com")},
        )


def erase(request: ErasureRequest) -> ErasureRequest:
    assert not work_off(request.pk, steps_of, 60)
    with system_scope():
        return ErasureRequest.all_organizations.get(pk=request.pk)


def verified() -> list[str]:
    sealing.seal_all()
    return [str(problem) for problem in audit_queries.verify()]


def figures(organization_id: Any) -> dict[str, Any]:
    with system_scope():
        runs = Run.all_organizations.filter(organization_id=organization_id).order_by("pk")
        return {
            str(run.pk): [run.input_tokens, run.output_tokens, run.price_amount, run.latency_ms, run.status]
            for run in runs
        }


def test_end_user__markers_everywhere__are_gone_outside_of_what_stays(
    project: Project, lines: list[str], redis: redis_library.Redis
) -> None:
    person = make_user()
    seed(project, person)
    nothing = rule_fields("end_user", Treatment.NOTHING)
    planter = Planter(MARKER, project.organization_id, person)
    planter.plant(unless=nothing)
    before = figures(project.organization_id)
    redis.set(f"answer:{project.organization_id.hex}:x", b"sealed")
    with organization_scope(project.organization_id):
        request = request_end_user_erasure(
            actor=user_actor(owner_of(project.organization)),
            organization=project.organization,
            end_user=MARKER,
            search=Search(texts=[MARKER]),
            delay="none",
        )
    visit(project)
    done = erase(request)
    assert done.state == ErasureState.DONE
    assert left_over(MARKER) <= rule_fields("end_user", Treatment.STAYS)
    assert figures(project.organization_id) == before
    assert {"runs", "run_contents", "dataset_rows", "files", "audit_details"} <= set(done.counts)
    assert redis.keys("answer:*") == []
    assert not [key for key in redis.scan_iter() if MARKER.encode() in key + redis.dump(key)]
    assert lines
    assert not [line for line in lines if MARKER in line]
    assert verified() == []


def test_member__markers_everywhere__are_gone_outside_of_what_stays(
    project: Project, lines: list[str], redis: redis_library.Redis
) -> None:
    person = make_member(organization=project.organization, role=Role.DEVELOPER)
    seed(project, person)
    planter = Planter(MARKER, project.organization_id, person)
    planter.plant(unless=rule_fields("member", Treatment.NOTHING))
    link_everything(project.organization_id, person)
    person.refresh_from_db()
    with organization_scope(project.organization_id):
        request = request_member_erasure(
            actor=user_actor(owner_of(project.organization)),
            organization=project.organization,
            member=person.public_id,
            search_texts=True,
            delay="none",
        )
    done = erase(request)
    assert done.state == ErasureState.DONE
    assert left_over(MARKER) <= rule_fields("member", Treatment.STAYS)
    person.refresh_from_db()
    assert person.display_name.startswith("Deleted user ")
    assert not person.is_active
    assert not person.has_usable_password()
    assert not [line for line in lines if MARKER in line]
    assert verified() == []


def test_organization__markers_everywhere__are_gone_outside_of_what_stays(
    project: Project, lines: list[str], redis: redis_library.Redis
) -> None:
    person = make_member(organization=project.organization, role=Role.DEVELOPER)
    asker = owner_of(project.organization)
    seed(project, person)
    planter = Planter(MARKER, project.organization_id, person)
    planter.plant(unless=rule_fields("organization", Treatment.NOTHING))
    with organization_scope(project.organization_id):
        organization = Organization.objects.get(pk=project.organization_id)
        request = request_organization_erasure(
            actor=user_actor(asker), organization=organization, confirmation=organization.name
        )
    with system_scope():
        ErasureRequest.all_organizations.filter(pk=request.pk).update(
            execute_after=timezone.now() - timedelta(seconds=1)
        )
    done = erase(request)
    assert done.state == ErasureState.DONE
    kept = rule_fields("organization", Treatment.STAYS)
    assert left_over(MARKER) <= kept
    assert tables_with_rows_of(project.organization_id) <= {model for model, _ in kept}
    assert not [line for line in lines if MARKER in line]
    assert verified() == []


def test_planting__every_field_with_words__is_reached(project: Project) -> None:
    person = make_member(organization=project.organization, role=Role.DEVELOPER)
    seed(project, person)
    planter = Planter(MARKER, project.organization_id, person)
    planter.plant(unless=set())
    every = {
        (part.model, field) for part in PARTS if not part.model.startswith(GLOBAL) for field in part.fields
    }
    assert every - planter.planted == set(NO_WORDS)
    assert left_over(MARKER) >= planter.planted


def visit(project: Project) -> None:
    """Ask for the subject in addresses, as members and programs do; log lines are written of what fails."""
    client = Client(raise_request_exception=False)
    client.force_login(owner_of(Organization(pk=project.organization_id)))
    with organization_scope(project.organization_id):
        organization = Organization.objects.get(pk=project.organization_id)
        slug = Project.objects.get(pk=project.pk).slug
    here = f"/{organization.slug}/{slug}"
    client.get(f"{here}/runs/", {"end_user": MARKER})
    client.get(f"{here}/runs/{MARKER}/")
    client.get(f"/{organization.slug}/settings/privacy/erasure/", {"q": MARKER})
    headers = {"Promptsaas-Project": project.public_id}
    client.get("/api/v1/erasures", {"subject": MARKER, "kind": MARKER}, headers=headers)


def link_everything(organization_id: Any, person: User) -> None:
    """Make the person the author of all there is."""
    with OwnerCursor() as cursor:
        for table, column, kind in (
            ("prompts_promptversion", "author_id", "author_kind"),
            ("prompts_labelmove", "author_id", "author_kind"),
            ("batches_batchjob", "started_by_id", "started_by_kind"),
            ("batches_openaibatch", "started_by_id", "started_by_kind"),
            ("batches_scaletest", "started_by_id", "started_by_kind"),
        ):
            cursor.execute(
                f"UPDATE {table} SET {column} = %s, {kind} = 'user' WHERE organization_id = %s",
                [person.pk, organization_id],
            )
        cursor.execute(
            "UPDATE prompts_draft SET user_id = %s WHERE organization_id = %s", [person.pk, organization_id]
        )
        cursor.execute(
            "UPDATE tenants_apikey SET created_by_id = %s WHERE organization_id = %s",
            [person.pk, organization_id],
        )
        cursor.execute(
            "UPDATE runs_feedback SET giver = %s WHERE organization_id = %s",
            [f"user:{person.pk}", organization_id],
        )


def tables_with_rows_of(organization_id: Any) -> set[str]:

    with system_scope():
        return {
            model._meta.label
            for model in apps.get_models()
            if "organization_id" in {field.attname for field in model._meta.concrete_fields}
            if unscoped(model).filter(organization_id=organization_id).exists()
        }

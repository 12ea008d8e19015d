import json
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.audit import queries as audit_queries
from apps.audit import sealing
from apps.audit.actor import SYSTEM
from apps.audit.models import AuditEvent
from apps.batches.models import BatchItem
from apps.core import errors, files
from apps.core.mail import OutboxBackend
from apps.core.models import OutgoingMail, StoredFile
from apps.core.redis import client as client_of_redis
from apps.core.scope import organization_scope, system_scope
from apps.datasets.mapping import RowValues
from apps.datasets.models import DatasetRow
from apps.retention.erasure import bell, reading
from apps.retention.erasure.certificates import as_text, certificate
from apps.retention.erasure.matching import Texts
from apps.retention.erasure.plan import WAITING, steps_of
from apps.retention.erasure.requests import (
    Search,
    cancel_erasure,
    request_end_user_erasure,
    request_member_erasure,
    request_organization_erasure,
)
from apps.retention.erasure.subjects import digest_of
from apps.retention.erasure.work import advance, work_off
from apps.retention.models import ErasureRequest, ErasureState, PurgeRun
from apps.runs.feedback import Giver
from apps.runs.models import Feedback, Run, RunPayload
from apps.runs.services import give_feedback
from apps.tenants import services as tenants
from apps.tenants.access import user_actor
from apps.tenants.models import APIKey, Membership, Organization, Project, User
from apps.tenants.roles import Role
from tests.factories import (
    make_api_key,
    make_batch,
    make_dataset_version,
    make_member,
    make_organization,
    make_project,
    make_prompt,
    make_run,
    owner_of,
)
from tests.factories.batches import add_items
from tests.factories.retention import make_hold

pytestmark = pytest.mark.django_db

CUSTOMER = "customer-7"  # whom the runs of the factory are about


@pytest.fixture
def project(settings: Any) -> Project:
    settings.ERASURE_SETTLE_SECONDS = 0
    return make_project()


def ask(project: Project, end_user: str = CUSTOMER, **values: Any) -> ErasureRequest:
    with organization_scope(project.organization_id):
        return request_end_user_erasure(
            actor=user_actor(owner_of(project.organization)),
            organization=project.organization,
            end_user=end_user,
            search=Search(values.pop("texts", ()), values.pop("columns", ())),
            **{"delay": "none", **values},
        )


def carried_out(request: ErasureRequest) -> ErasureRequest:
    work_off(request.pk, steps_of, 60)
    with system_scope():
        return ErasureRequest.all_organizations.get(pk=request.pk)


def carried_out_up_to(step: str, request: ErasureRequest) -> None:
    rows = ErasureRequest.all_organizations.filter(pk=request.pk, step=step)
    for _ in range(200):
        assert advance(request.pk, steps_of)
        with system_scope():
            if rows.exists():
                return
    raise AssertionError(step)


def kept(project: Project, model: Any, **wanted: Any) -> list[Any]:
    with organization_scope(project.organization_id):
        return list(model.objects.filter(**wanted).order_by("pk"))


def test_end_user__without_search__loses_runs_and_nothing_of_others(project: Project) -> None:
    theirs, others = make_run(project=project), make_run(project=project)
    with system_scope():
        Run.all_organizations.filter(pk=others.pk).update(end_user="customer-70")
    with organization_scope(project.organization_id):
        give_feedback(giver=Giver(f"told:{CUSTOMER}", CUSTOMER), run=theirs, score=4, comment="I am Ann.")
        give_feedback(giver=Giver("told:somebody", "somebody"), run=others, score=2, comment="Bad.")
    done = carried_out(ask(project))
    assert done.state == ErasureState.DONE
    assert done.sealed_subject is None
    assert done.counts == {"runs": 1, "run_contents": 1, "feedback": 1, "feedback_words": 1}
    erased, untouched = kept(project, Run)
    assert (erased.end_user, erased.metadata, erased.provider_request_id) == ("", {}, "")
    assert (erased.input_tokens, erased.price_amount) == (theirs.input_tokens, theirs.price_amount)
    assert (untouched.end_user, untouched.metadata) == ("customer-70", {"ticket": "42"})
    assert [row.pk for row in kept(project, RunPayload)] == [others.pk]
    first, second = kept(project, Feedback)
    assert (first.giver, first.score, first.sealed_text) == (f"told:{done.public_id}", 4, None)
    assert second.giver == "told:somebody"
    assert second.sealed_text is not None


def test_end_user__rows_of_datasets__go_by_run_by_column_and_by_text(project: Project) -> None:
    run = make_run(project=project)
    rows = [
        RowValues({"review": "from a run"}, None, {"run_id": run.public_id}),
        RowValues({"review": "by column", "customer": "4711"}, "Positive", {}),
        RowValues({"review": "I am ANN@example.com."}, None, {}),
        RowValues({"review": "somebody else", "customer": "47110"}, "Positive", {}),
    ]
    make_dataset_version(project=project, rows=rows)
    done = carried_out(ask(project, texts=["ann@example.com"], columns=[("customer", "4711")]))
    assert done.counts["dataset_rows"] == 3
    left = {row.number: row.variables for row in kept(project, DatasetRow)}
    assert left == {1: {}, 2: {}, 3: {}, 4: {"review": "somebody else", "customer": "47110"}}


def test_end_user__row_made_of_their_run_behind_the_walk__is_emptied(project: Project) -> None:
    run = make_run(project=project)
    make_dataset_version(project=project, rows=[RowValues({"review": "old"}, None, {})])
    request = ask(project)
    carried_out_up_to("runs", request)
    rows = [RowValues({"review": "theirs"}, None, {"run_id": run.public_id})]
    version = make_dataset_version(project=project, rows=rows)
    assert carried_out(request).counts["dataset_rows"] == 1
    [row] = kept(project, DatasetRow, dataset_version=version)
    assert (row.variables, row.metadata) == ({}, {})


def test_end_user__results_of_batches_over_their_rows__are_emptied(project: Project) -> None:
    batch = make_batch(
        project=project, rows=[RowValues({"review": text}, None, {}) for text in ("Ann Smith wrote", "x")]
    )
    with organization_scope(project.organization_id):
        add_items(batch)
        BatchItem.objects.filter(batch=batch).update(output="An answer", parsed={"a": 1})
    done = carried_out(ask(project, texts=["Ann Smith"]))
    assert done.counts["batch_results"] == 1
    assert {item.number: item.output for item in kept(project, BatchItem)} == {1: "", 2: "An answer"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_end_user__files_with_their_text__go(project: Project, encoding: str) -> None:
    with organization_scope(project.organization_id):
        for name, text in (("theirs.csv", "review\nby Zoë Müller\n"), ("others.csv", "review\nby Bob\n")):
            files.store(
                organization_id=project.organization_id,
                name=name,
                content_type="text/csv",
                chunks=[text.encode(encoding)],
            )
    assert carried_out(ask(project, texts=["zoë müller"])).counts["files"] == 1
    assert [file.name for file in kept(project, StoredFile)] == ["others.csv"]


def test_texts__across_the_chunks_of_a_file__are_found() -> None:
    assert Texts(["secret-name"]).stand_in_bytes([b"... sec", b"ret-na", b"me ..."])
    assert not Texts(["secret-name"]).stand_in_bytes([b"... sec", b"ret na", b"me ..."])
    assert Texts(['with "quotes"']).stand_in_bytes([b'1,"with ""quotes"""'])
    assert Texts(["zo\u00eb"]).stand_in_bytes([b'{"name": "zo\\u00eb"}'])
    assert Texts(['ann "x" Smith']).stand_in_json(b'{"text": "by Ann \\"X\\" SMITH"}')
    assert not Texts(["ann smith"]).stand_in_json(b'{"first": "Ann", "last": "Smith"}')


def test_texts__in_json_that_stands_in_a_text__are_found() -> None:
    nested = json.dumps({"name": 'ZO\u00cb "X"'})
    assert "\\u00cb" in nested
    looked_for = Texts(['zo\u00eb "x"'])
    assert looked_for.stand_in({"output": nested})
    assert looked_for.stand_in_json(json.dumps({"output": nested}, ensure_ascii=False).encode())
    assert not looked_for.stand_in({"output": json.dumps({"name": "ZOE X"})})


def test_work__killed_after_every_chunk__counts_each_row_once(project: Project) -> None:
    for _ in range(3):
        make_run(project=project)
    request, chunks = ask(project), 0
    while advance(request.pk, steps_of):
        chunks += 1
    done = carried_out(request)
    assert (done.state, done.counts["runs"], chunks > 10) == (ErasureState.DONE, 3, True)
    assert not advance(request.pk, steps_of)


def test_work__a_chunk_that_fails__leaves_all_as_it_was(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(project=project)
    request = ask(project)
    while advance(request.pk, steps_of):
        with system_scope():
            if ErasureRequest.all_organizations.get(pk=request.pk).step == "runs":
                break

    def fail(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr("apps.retention.erasure.runs._blank_feedback", fail)
        with pytest.raises(RuntimeError):
            advance(request.pk, steps_of)
    assert kept(project, Run)[0].end_user == CUSTOMER
    assert carried_out(request).counts["runs"] == 1


def test_work__calls_under_way__are_waited_for(project: Project, settings: Any) -> None:
    settings.ERASURE_SETTLE_SECONDS = 900
    request = ask(project)
    assert not work_off(request.pk, steps_of, 60)
    with system_scope():
        waiting = ErasureRequest.all_organizations.get(pk=request.pk)
    assert (waiting.state, waiting.step) == (ErasureState.RUNNING, "calls_under_way")
    late = make_run(project=project)
    settings.ERASURE_SETTLE_SECONDS = 0
    assert carried_out(request).state == ErasureState.DONE
    assert kept(project, Run, pk=late.pk)[0].end_user == ""


def test_cached_answer__of_a_call_under_way__is_forgotten(project: Project) -> None:
    request, cache = ask(project), client_of_redis()
    carried_out_up_to(WAITING, request)
    names = [f"answer:{each.hex}:late" for each in (project.organization_id, request.pk)]
    for name in names:
        cache.set(name, b"sealed")
    assert carried_out(request).state == ErasureState.DONE
    assert [cache.exists(name) for name in names] == [0, 1]


def test_sweeper__due_and_silent__rings(project: Project) -> None:
    request, waiting = ask(project), ask(project, "customer-8", delay="day")
    with system_scope():
        ErasureRequest.all_organizations.update(touched_at=timezone.now() - timedelta(minutes=1))
    assert bell.ring_due() == 1
    bell.answer(request.pk, 60)
    assert bell.ring_due() == 0
    with system_scope():
        assert ErasureRequest.all_organizations.get(pk=waiting.pk).state == ErasureState.PENDING


def test_hold__stands__forbids_and_pauses(project: Project) -> None:
    request = ask(project)
    hold = make_hold(project=project)
    assert not advance(request.pk, steps_of)
    with pytest.raises(errors.Conflict, match=hold.public_id):
        ask(project, "customer-8")


@pytest.mark.parametrize(
    ("values", "param"),
    [
        ({"end_user": " "}, "end_user"),
        ({"texts": ["abc"]}, "texts"),
        ({"texts": [f"text {n}" for n in range(11)]}, "texts"),
        ({"columns": [("customer", "")]}, "columns"),
        ({"reason": "Ticket of Customer-7"}, "reason"),
        ({"delay": "never"}, "delay"),
    ],
)
def test_request__bad_value__names_it(project: Project, values: dict[str, Any], param: str) -> None:
    with pytest.raises(errors.InvalidRequest) as problem:
        ask(project, **values)
    assert problem.value.param == param


def test_request__the_same_again__is_refused_until_it_ended(project: Project) -> None:
    first = ask(project, delay="day")
    with pytest.raises(errors.Conflict, match="already"):
        ask(project)
    with organization_scope(project.organization_id):
        cancel_erasure(actor=SYSTEM, request=first)
        with pytest.raises(errors.Conflict, match="ended"):
            cancel_erasure(actor=SYSTEM, request=first)
    second = carried_out(ask(project))
    with organization_scope(project.organization_id):
        found = reading.erasures(project.organization_id, search=CUSTOMER)
        assert {each.pk for each in found} == {first.pk, second.pk}


def test_audit_and_certificate__of_an_erasure__do_not_name_whom(project: Project) -> None:
    make_run(project=project)
    done = carried_out(ask(project, reason="Ticket 42"))
    with organization_scope(project.organization_id):
        told = certificate(done)
        assert told["subject_digest"] == digest_of(project.organization_id, CUSTOMER)
        actions = AuditEvent.objects.filter(object_id=done.public_id).order_by("pk")
        assert [event.action for event in actions] == ["erasure.requested", "erasure.completed"]
        assert CUSTOMER not in f"{told}{as_text(told)}{[event.changes for event in actions]}"
    assert "Ticket 42" in as_text(told)
    assert {"what": "Runs whose identity was emptied", "count": 1} in told["counts"]


def member_request(project: Project, member: str, **values: Any) -> ErasureRequest:
    with organization_scope(project.organization_id):
        return request_member_erasure(
            actor=user_actor(owner_of(project.organization)),
            organization=project.organization,
            member=member,
            delay="none",
            **values,
        )


def test_member__of_one_organization__loses_account_and_names(project: Project) -> None:
    person = make_member(organization=project.organization, role=Role.DEVELOPER)
    prompt = make_prompt(project=project, actor=user_actor(person), labels={"production": 1})
    key, _ = make_api_key(project=project, created_by=person)
    client = Client()
    client.force_login(person)
    done = carried_out(member_request(project, person.email.upper()))
    assert done.state == ErasureState.DONE
    person.refresh_from_db()
    assert person.email.endswith("@erased.invalid")
    assert not person.is_active
    assert client.get("/profile/").status_code == 302
    with organization_scope(project.organization_id):
        prompt.refresh_from_db()
        assert prompt.changed_by == person.name
        assert prompt.versions.get().author_name == person.name
        assert APIKey.objects.get(pk=key.pk).revoked_at is not None
        assert not Membership.objects.filter(user=person).exists()
    sealing.seal_all()
    assert list(audit_queries.verify_chain(project.organization_id)) == []


def test_member__of_two_organizations__keeps_the_account(project: Project) -> None:
    person = make_member(organization=project.organization)
    make_member(organization=make_organization(), user=person)
    name = person.name
    done = carried_out(member_request(project, person.public_id))
    person.refresh_from_db()
    assert (person.name, person.is_active, done.state) == (name, True, ErasureState.DONE)
    assert "account" not in done.counts


def test_member__last_owner_or_stranger__is_refused(project: Project) -> None:
    with pytest.raises(errors.Conflict, match="last owner"):
        member_request(project, owner_of(project.organization).email)
    for stranger in (owner_of(make_organization()).public_id, "nobody@example.com"):
        with pytest.raises(errors.NotFound):
            member_request(project, stranger)


def test_member__last_owner_by_then__is_refused_with_the_reason(project: Project) -> None:
    first = owner_of(project.organization)
    second = make_member(organization=project.organization, role=Role.OWNER)
    request = member_request(project, second.public_id)
    with organization_scope(project.organization_id):
        tenants.remove_membership(actor=SYSTEM, membership=Membership.objects.get(user=first))
    done = carried_out(request)
    assert (done.state, done.sealed_subject) == (ErasureState.REFUSED, None)
    assert "last owner" in done.refusal
    second.refresh_from_db()
    assert second.is_active


def test_member__who_left__is_erased_by_their_id(project: Project) -> None:
    person = make_member(organization=project.organization)
    prompt = make_prompt(project=project, actor=user_actor(person))
    with organization_scope(project.organization_id):
        tenants.remove_membership(actor=SYSTEM, membership=Membership.objects.get(user=person))
    assert carried_out(member_request(project, person.public_id)).state == ErasureState.DONE
    with organization_scope(project.organization_id):
        assert prompt.versions.get().author_name.startswith("Deleted user ")


def test_organization__deleted__leaves_ledger_and_chain_and_tells_who_asked(
    project: Project,
) -> None:
    owner, organization = owner_of(project.organization), project.organization
    make_run(project=project)
    with organization_scope(organization.pk):
        OutboxBackend().send_messages([EmailMessage("Hello", "Text", None, [owner.email])])
        with pytest.raises(errors.InvalidRequest, match="exactly"):
            request_organization_erasure(actor=SYSTEM, organization=organization, confirmation="x")
        request = request_organization_erasure(
            actor=user_actor(owner), organization=organization, confirmation=organization.name
        )
    assert not advance(request.pk, steps_of), "seven days"
    assert mail.outbox[-1].to == [owner.email]
    assert request.public_id in mail.outbox[-1].body
    with system_scope():
        ErasureRequest.all_organizations.update(execute_after=timezone.now())
    carried_out_up_to("organization", request)
    with system_scope():
        # A night began just before the end.
        PurgeRun.all_organizations.create(organization=organization, judged_at=timezone.now())
    done = carried_out(request)
    assert done.state == ErasureState.DONE
    with system_scope():
        connection.check_constraints()
        assert not Organization.objects.filter(pk=organization.pk).exists()
        assert not OutgoingMail.objects.filter(organization_id=organization.pk).exists()
        assert AuditEvent.all_organizations.filter(organization_id__isnull=True, action="organization.erased")
    assert "Certificate of erasure" in mail.outbox[-1].body
    assert organization.name not in f"{mail.outbox[-1].subject}{mail.outbox[-1].body}"
    assert User.objects.filter(pk=owner.pk, is_active=True).exists()
    sealing.seal_all()
    assert list(audit_queries.verify()) == []

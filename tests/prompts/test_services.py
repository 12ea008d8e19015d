"""Writes of prompts: versions without gaps, labels that move by compare-and-set, and what goes with them."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, connections, transaction

from apps.audit.actor import SYSTEM
from apps.audit.models import AuditEvent
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.models import Change, OutboxMessage
from apps.core.scope import organization_scope, system_scope
from apps.prompts import queries, services
from apps.prompts.models import Label, Prompt, PromptVersion
from apps.tenants.models import Project
from tests.factories import make_content, make_project, make_prompt

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Iterator[Project]:
    project = make_project()
    with organization_scope(project.organization_id):
        yield project


def move(prompt: Prompt, label: str, number: int, **more: object) -> Label:
    return services.move_label(actor=SYSTEM, prompt=prompt, label=label, number=number, **more)  # type: ignore[arg-type]


def moves(prompt: Prompt, label: str = "production") -> list[tuple[int | None, int | None, str]]:
    steps = queries.label_history(prompt, label).order_by("sequence")
    return list(steps.values_list("from_number", "to_number", "kind"))


def test_create__chat_prompt__has_version_one_with_found_variables(project: Project) -> None:
    prompt = make_prompt(project=project, name="support/reply", content=make_content("{{ a }} {{ b }}"))
    version = queries.latest_version(prompt)
    assert (prompt.latest_number, version.number) == (1, 1)
    assert version.variables == [
        {"name": "a", "type": "text", "required": True},
        {"name": "b", "type": "text", "required": True},
    ]


def test_create__name_taken__is_a_conflict_and_the_scope_lives_on(project: Project) -> None:
    make_prompt(project=project, name="reply")
    with pytest.raises(Conflict) as caught:
        make_prompt(project=project, name="reply")
    assert (caught.value.code, caught.value.param) == ("prompt_name_taken", "name")
    assert Prompt.objects.count() == 1


def test_create__same_name_in_another_project__is_allowed(project: Project) -> None:
    make_prompt(project=project, name="reply")
    other = make_project(organization=project.organization, name="Other")
    assert make_prompt(project=other, name="reply").name == "reply"


def test_create__text_prompt_with_two_messages__is_refused(project: Project) -> None:
    with pytest.raises(InvalidRequest, match="exactly one message"):
        make_prompt(project=project, kind="text", content=make_content(system="You are kind."))


def test_publish__changed_content__takes_the_next_number(project: Project) -> None:
    prompt = make_prompt(project=project)
    version = services.publish_version(
        actor=SYSTEM, prompt=prompt, content=make_content("New"), message="shorter", base_number=1
    )
    assert (version.number, prompt.latest_number, version.message) == (2, 2, "shorter")
    assert Prompt.objects.get(pk=prompt.pk).latest_number == 2


def test_publish__unchanged_content__is_a_conflict(project: Project) -> None:
    prompt = make_prompt(project=project)
    with pytest.raises(Conflict) as caught:
        services.publish_version(actor=SYSTEM, prompt=prompt, content=make_content())
    assert caught.value.code == "version_unchanged"
    assert caught.value.extra == {"latest_number": 1}


def test_publish__content_of_an_older_version__is_a_new_version(project: Project) -> None:
    prompt = make_prompt(project=project, versions=2)
    version = services.publish_version(actor=SYSTEM, prompt=prompt, content=make_content())
    assert version.number == 3


def test_publish__stale_base__is_a_conflict_and_saves_nothing(project: Project) -> None:
    prompt = make_prompt(project=project, versions=2)
    with pytest.raises(Conflict) as caught:
        services.publish_version(actor=SYSTEM, prompt=prompt, content=make_content("Mine"), base_number=1)
    assert (caught.value.code, caught.value.param) == ("version_stale", "base_version")
    assert PromptVersion.objects.filter(prompt=prompt).count() == 2


def test_publish__new_version__moves_no_label(project: Project) -> None:
    prompt = make_prompt(project=project, labels={"production": 1})
    services.publish_version(actor=SYSTEM, prompt=prompt, content=make_content("New"))
    assert queries.labels_of([prompt])[prompt.pk] == {"production": 1}


def test_publish__crlf_from_a_form__is_the_same_content(project: Project) -> None:
    prompt = make_prompt(project=project, content=make_content("a\nb"))
    with pytest.raises(Conflict):
        services.publish_version(actor=SYSTEM, prompt=prompt, content=make_content("a\r\nb"))


def test_version__update_or_delete_as_the_application__is_refused(project: Project) -> None:
    version = queries.latest_version(make_prompt(project=project, labels={"production": 1}))
    statements = (
        "UPDATE prompts_promptversion SET number = 9",
        "DELETE FROM prompts_promptversion",
        "UPDATE prompts_labelmove SET to_number = 9",
        "DELETE FROM prompts_labelmove",
    )
    for statement in statements:
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            connection.cursor().execute(statement)
    version.refresh_from_db()
    assert version.number == 1


def test_label__version_of_another_prompt__is_refused_by_the_database(project: Project) -> None:
    one, other = make_prompt(project=project), make_prompt(project=project)
    label = Label(
        organization_id=project.organization_id,
        prompt=one,
        name="production",
        version=queries.latest_version(other),
    )
    label.save(force_insert=True)
    with pytest.raises(DatabaseError, match="label_version_of_prompt"), transaction.atomic():
        connection.check_constraints()
    label.delete()


def test_move__new_label__appears_with_history(project: Project) -> None:
    prompt = make_prompt(project=project, versions=2)
    label = move(prompt, "staging", 2, expected_number=None, reason="try it")
    assert label.version.number == 2
    step = queries.label_history(prompt, "staging").get()
    assert (step.from_number, step.to_number, step.reason, step.sequence) == (None, 2, "try it", 1)


@pytest.mark.parametrize("expected", [1, None])
def test_move__label_is_elsewhere_than_expected__is_a_conflict(
    project: Project, expected: int | None
) -> None:
    prompt = make_prompt(project=project, versions=3, labels={"production": 2})
    with pytest.raises(Conflict) as caught:
        move(prompt, "production", 3, expected_number=expected)
    assert (caught.value.code, caught.value.param) == ("label_moved", "expected_version")
    assert caught.value.extra["current_version"] == 2
    assert caught.value.extra["moved_by"] == "system"
    assert "system moved production just now: it points at v2 now" in caught.value.message
    assert moves(prompt) == [(None, 2, "move")]


def test_move__to_where_it_is__changes_nothing(project: Project) -> None:
    prompt = make_prompt(project=project, labels={"production": 1})
    move(prompt, "production", 1, expected_number=1)
    assert len(moves(prompt)) == 1


def test_move__missing_version__is_not_found(project: Project) -> None:
    with pytest.raises(NotFound, match="no version 9"):
        move(make_prompt(project=project), "production", 9)


@pytest.mark.parametrize(
    ("label", "code"),
    [("latest", "label_reserved")]
    + [(name, "label_invalid") for name in ("Prod", "-a", "a" * 37, "", "a\n", "é")],
)
def test_move__name_that_is_not_allowed__is_refused(project: Project, label: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        move(make_prompt(project=project), label, 1)
    assert caught.value.code == code


def test_rollback__twice__goes_two_moves_back(project: Project) -> None:
    prompt = make_prompt(project=project, versions=3)
    for number in (1, 2, 3):
        move(prompt, "production", number)
    for expected in (2, 1):
        label = services.rollback_label(actor=SYSTEM, prompt=prompt, label="production", reason="worse")
        assert label.version.number == expected
    with pytest.raises(Conflict) as caught:
        services.rollback_label(actor=SYSTEM, prompt=prompt, label="production")
    assert caught.value.code == "nothing_to_roll_back"
    assert [kind for _, _, kind in moves(prompt)] == ["move"] * 3 + ["rollback"] * 2


def test_rollback__after_a_rollback_and_a_move__skips_what_was_undone(project: Project) -> None:
    prompt = make_prompt(project=project, versions=3)
    for number in (1, 2):
        move(prompt, "production", number)
    services.rollback_label(actor=SYSTEM, prompt=prompt, label="production")
    move(prompt, "production", 3)
    assert queries.rollback_target(prompt, "production") == 1


def test_remove__label__is_gone_and_its_history_stays(project: Project) -> None:
    prompt = make_prompt(project=project, labels={"production": 1})
    services.remove_label(actor=SYSTEM, prompt=prompt, label="production", expected_number=1)
    assert queries.labels_of([prompt])[prompt.pk] == {}
    assert moves(prompt) == [(None, 1, "move"), (1, None, "remove")]
    with pytest.raises(NotFound):
        services.remove_label(actor=SYSTEM, prompt=prompt, label="production")


def test_remove_and_set_again__history__goes_on(project: Project) -> None:
    prompt = make_prompt(project=project, versions=2, labels={"production": 1})
    services.remove_label(actor=SYSTEM, prompt=prompt, label="production")
    move(prompt, "production", 2, expected_number=None)
    assert moves(prompt) == [(None, 1, "move"), (1, None, "remove"), (None, 2, "move")]
    assert queries.rollback_target(prompt, "production") is None


def test_writes__each__leaves_audit_outbox_and_change() -> None:
    prompt = make_prompt(labels={"production": 1})
    with organization_scope(prompt.organization_id):
        services.remove_label(actor=SYSTEM, prompt=prompt, label="production")
        actions = list(AuditEvent.objects.order_by("occurred_at").values_list("action", flat=True))
    with system_scope():
        topics = list(OutboxMessage.objects.order_by("created_at").values_list("topic", flat=True))
        lines = list(Change.objects.filter(key=str(prompt.pk)).order_by("id").values_list("kind", flat=True))
    assert actions[-4:] == ["prompt.created", "prompt_version.published", "label.moved", "label.removed"]
    assert topics[-3:] == ["prompt.version.created", "prompt.label.moved", "prompt.label.moved"]
    assert lines == ["prompt", "label", "label"]


def test_resolve__label_number_latest_and_default__give_the_version(project: Project) -> None:
    prompt = make_prompt(project=project, name="a/b", versions=3, labels={"production": 1, "staging": 2})

    def number(label: str | None, wanted: int | None = None) -> int:
        found = queries.resolve(project_id=project.pk, name="a/b", label=label, number=wanted)
        assert found.prompt_id == prompt.pk
        return found.number

    assert (number(None), number("staging"), number("latest"), number(None, 2)) == (1, 2, 3, 2)


@pytest.mark.parametrize(
    ("name", "label", "number", "code"),
    [
        ("none", None, None, "prompt_not_found"),
        ("reply", None, None, "label_not_found"),
        ("reply", "staging", None, "label_not_found"),
        ("reply", None, 2, "version_not_found"),
    ],
)
def test_resolve__missing__says_what(
    project: Project, name: str, label: str | None, number: int | None, code: str
) -> None:
    make_prompt(project=project, name="reply")
    with pytest.raises(NotFound) as caught:
        queries.resolve(project_id=project.pk, name=name, label=label, number=number)
    assert caught.value.code == code


def test_resolve__number_as_label__says_how_a_version_is_named(project: Project) -> None:
    make_prompt(project=project, name="reply")
    with pytest.raises(NotFound, match="reply#1"):
        queries.resolve(project_id=project.pk, name="reply", label="v1", number=None)


def test_resolve__prompt_of_another_organization__is_not_found() -> None:
    foreign = make_prompt(name="reply", labels={"production": 1})
    own = make_project()
    with organization_scope(own.organization_id), pytest.raises(NotFound):
        queries.resolve(project_id=foreign.project_id, name="reply", label=None, number=None)


def in_threads(jobs: Sequence[Callable[[], object]], organization_id: UUID) -> list[str]:
    """Run every job at once, each in its own scope; returns "done" or the error's code."""

    def run(job: Callable[[], object]) -> str:
        try:
            with organization_scope(organization_id):
                job()
        except Conflict as conflict:
            return conflict.code
        finally:
            connections.close_all()
        return "done"

    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(run, jobs))


@pytest.mark.django_db(transaction=True)
def test_move__sixty_four_at_once_from_the_same_place__one_wins_and_history_is_one_line() -> None:
    prompt = make_prompt(versions=65, labels={"production": 1})
    jobs = [partial(move, prompt, "production", number, expected_number=1) for number in range(2, 66)]
    results = in_threads(jobs, prompt.organization_id)
    assert (results.count("done"), results.count("label_moved")) == (1, 63)
    with organization_scope(prompt.organization_id):
        (first, second) = moves(prompt)
        assert first == (None, 1, "move")
        assert second[0] == 1
        assert queries.labels_of([prompt])[prompt.pk] == {"production": second[1]}


@pytest.mark.django_db(transaction=True)
def test_move__sixty_four_at_once_without_expectation__history_is_a_chain() -> None:
    prompt = make_prompt(versions=4, labels={"production": 1})
    jobs = [partial(move, prompt, "production", 1 + number % 4) for number in range(64)]
    assert set(in_threads(jobs, prompt.organization_id)) == {"done"}
    with organization_scope(prompt.organization_id):
        steps = moves(prompt)
        assert [after for _, after, _ in steps[:-1]] == [before for before, _, _ in steps[1:]]
        sequences = queries.label_history(prompt, "production").order_by("sequence")
        numbers = list(sequences.values_list("sequence", flat=True))
        assert numbers == list(range(1, len(steps) + 1))
        assert queries.labels_of([prompt])[prompt.pk]["production"] == steps[-1][1]


@pytest.mark.django_db(transaction=True)
def test_publish__sixteen_at_once__numbers_have_no_gap() -> None:
    prompt = make_prompt()
    jobs = [
        partial(services.publish_version, actor=SYSTEM, prompt=prompt, content=make_content(f"text {number}"))
        for number in range(16)
    ]
    assert set(in_threads(jobs, prompt.organization_id)) == {"done"}
    with organization_scope(prompt.organization_id):
        numbers = PromptVersion.objects.filter(prompt=prompt).order_by("number")
        assert list(numbers.values_list("number", flat=True)) == list(range(1, 18))


@pytest.mark.django_db(transaction=True)
def test_publish__eight_at_once_from_the_same_base__one_wins() -> None:
    prompt = make_prompt()
    jobs = [
        partial(
            services.publish_version,
            actor=SYSTEM,
            prompt=prompt,
            content=make_content(f"text {number}"),
            base_number=1,
        )
        for number in range(8)
    ]
    results = in_threads(jobs, prompt.organization_id)
    assert (results.count("done"), results.count("version_stale")) == (1, 7)

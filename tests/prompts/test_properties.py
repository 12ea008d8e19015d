"""Names, tags, descriptions and the archive, of one prompt and of many at once."""

import pytest

from apps.audit.actor import SYSTEM
from apps.audit.models import AuditEvent
from apps.core.errors import Conflict, InvalidRequest
from apps.core.models import Change, OutboxMessage
from apps.core.scope import organization_scope, system_scope
from apps.prompts import queries, services
from apps.prompts.models import Prompt
from apps.tenants.models import Project
from tests.factories import make_content, make_prompt

pytestmark = pytest.mark.django_db


def test_tags__set__are_small_sorted_and_once(project: Project) -> None:
    prompt = make_prompt(project=project)
    with organization_scope(project.organization_id):
        changed = services.set_tags(actor=SYSTEM, prompt=prompt, tags=["Sales", "billing", " sales ", ""])
        assert changed.tags == ["billing", "sales"]
        assert Prompt.objects.get().tags == ["billing", "sales"]


@pytest.mark.parametrize("tags", [["a,b"], ["x" * 51], [f"t{number}" for number in range(21)], ["a\x00"]])
def test_tags__not_allowed__are_refused(project: Project, tags: list[str]) -> None:
    prompt = make_prompt(project=project)
    with organization_scope(project.organization_id), pytest.raises(InvalidRequest) as error:
        services.set_tags(actor=SYSTEM, prompt=prompt, tags=tags)
    assert error.value.code == "tag_invalid"


def test_rename__prompt__keeps_id_and_tells_everybody(project: Project) -> None:
    prompt = make_prompt(project=project, name="old", labels={"production": 1})
    with organization_scope(project.organization_id):
        services.rename_prompt(actor=SYSTEM, prompt=prompt, name="fresh/name")
        assert queries.find_prompt(project, prompt.public_id).name == "fresh/name"
        event = AuditEvent.objects.filter(action="prompt.renamed").get()
        assert event.changes["name"] == ["old", "fresh/name"]
    with system_scope():
        message = OutboxMessage.objects.get(topic="prompt.renamed")
        assert message.payload["previous_prompt"] == "old"
        assert Change.objects.filter(kind="prompt", key=str(prompt.pk)).exists()


def test_rename__taken_name__changes_nothing(project: Project) -> None:
    prompt = make_prompt(project=project, name="one")
    make_prompt(project=project, name="two")
    with organization_scope(project.organization_id):
        with pytest.raises(Conflict) as error:
            services.rename_prompt(actor=SYSTEM, prompt=prompt, name="two")
        assert Prompt.objects.get(pk=prompt.pk).name == "one"
    assert error.value.code == "prompt_name_taken"


def test_archive__prompt__is_served_and_takes_no_version(project: Project) -> None:
    prompt = make_prompt(project=project, name="kept", labels={"production": 1}, versions=2)
    with organization_scope(project.organization_id):
        services.archive_prompt(actor=SYSTEM, prompt=prompt)
        assert not queries.list_prompts(project).exists()
        found = queries.resolve(project_id=project.pk, name="kept", label="production", number=None)
        assert found.number == 1
        services.move_label(actor=SYSTEM, prompt=prompt, label="production", number=2)
        with pytest.raises(Conflict) as error:
            services.publish_version(actor=SYSTEM, prompt=prompt, content=make_content("other"))
        assert error.value.code == "prompt_archived"
        services.restore_prompt(actor=SYSTEM, prompt=prompt)
        services.publish_version(actor=SYSTEM, prompt=prompt, content=make_content("other"))
        assert queries.list_prompts(project).exists()


def test_bulk__move__keeps_last_parts_and_audits_each(project: Project) -> None:
    for name in ("a/one", "b/c/two", "three"):
        make_prompt(project=project, name=name)
    with organization_scope(project.organization_id):
        assert services.move_prompts(actor=SYSTEM, prompts=Prompt.objects.all(), folder="team/fresh") == 3
        names = set(Prompt.objects.values_list("name", flat=True))
        assert names == {"team/fresh/one", "team/fresh/two", "team/fresh/three"}
        assert AuditEvent.objects.filter(action="prompt.renamed").count() == 3
        assert services.move_prompts(actor=SYSTEM, prompts=Prompt.objects.all(), folder="") == 3


def test_bulk__move_with_conflicts__changes_nothing_and_names_them(project: Project) -> None:
    for name in ("a/same", "b/same", "a/free", "team/taken", "b/taken"):
        make_prompt(project=project, name=name)
    with organization_scope(project.organization_id):
        chosen = Prompt.objects.exclude(name="team/taken")
        with pytest.raises(Conflict) as error:
            services.move_prompts(actor=SYSTEM, prompts=chosen, folder="team")
        assert error.value.code == "prompt_names_taken"
        assert error.value.extra["conflicts"] == ["team/same", "team/taken"]
        assert Prompt.objects.filter(name="a/free").exists()


@pytest.mark.parametrize("folder", ["versions", "a//b", "a|b", "x" * 254])
def test_bulk__move_to_a_folder_that_cannot_be__is_refused(project: Project, folder: str) -> None:
    make_prompt(project=project, name="one")
    with organization_scope(project.organization_id), pytest.raises(InvalidRequest):
        services.move_prompts(actor=SYSTEM, prompts=Prompt.objects.all(), folder=folder)


def test_bulk__tag__adds_and_removes(project: Project) -> None:
    first, second = make_prompt(project=project), make_prompt(project=project)
    with organization_scope(project.organization_id):
        services.set_tags(actor=SYSTEM, prompt=first, tags=["old", "kept"])
        changed = services.tag_prompts(
            actor=SYSTEM, prompts=Prompt.objects.all(), add=["New"], remove=["old"]
        )
        assert changed == 2
        assert Prompt.objects.get(pk=first.pk).tags == ["kept", "new"]
        assert Prompt.objects.get(pk=second.pk).tags == ["new"]
        assert services.tag_prompts(actor=SYSTEM, prompts=Prompt.objects.all(), add=["new"]) == 0


def test_bulk__too_many_tags__changes_nothing_and_names_them(project: Project) -> None:
    full, empty = make_prompt(project=project, name="full"), make_prompt(project=project)
    with organization_scope(project.organization_id):
        services.set_tags(actor=SYSTEM, prompt=full, tags=[f"t{number}" for number in range(20)])
        with pytest.raises(Conflict) as error:
            services.tag_prompts(actor=SYSTEM, prompts=Prompt.objects.all(), add=["more"])
        assert error.value.extra["conflicts"] == ["full"]
        assert Prompt.objects.get(pk=empty.pk).tags == []


def test_bulk__archive_and_restore__count_only_what_changed(project: Project) -> None:
    for _ in range(3):
        make_prompt(project=project)
    with organization_scope(project.organization_id):
        services.archive_prompt(actor=SYSTEM, prompt=Prompt.objects.first() or make_prompt())
        assert services.archive_prompts(actor=SYSTEM, prompts=Prompt.objects.all()) == 2
        assert services.restore_prompts(actor=SYSTEM, prompts=Prompt.objects.all()) == 3


def test_restore_version__older_one__is_a_new_version_and_moves_no_label(project: Project) -> None:
    prompt = make_prompt(project=project, versions=3, labels={"production": 3})
    with organization_scope(project.organization_id):
        version = services.restore_version(actor=SYSTEM, prompt=prompt, number=1)
        assert version.number == 4
        assert version.message == "Restored from v1"
        assert version.content_hash == queries.get_version(prompt, 1).content_hash
        assert queries.labels_of([prompt])[prompt.pk] == {"production": 3}
        with pytest.raises(Conflict) as error:
            services.restore_version(actor=SYSTEM, prompt=prompt, number=4)
        assert error.value.code == "version_unchanged"

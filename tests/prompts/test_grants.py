"""Rights on one prompt: who comes in, what they see, and that nothing else opens."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.audit.actor import SYSTEM
from apps.audit.models import AuditEvent
from apps.core import errors
from apps.core.scope import organization_scope, system_scope
from apps.prompts import grants, services
from apps.prompts.models import Prompt, PromptUserObjectPermission
from apps.tenants import services as tenant_services
from apps.tenants.access import Access, open_session, user_actor
from apps.tenants.models import Membership, Project, User
from apps.tenants.roles import Permission, Role
from tests.factories import make_api_key, make_member, make_project, make_prompt, owner_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def outsider(project: Project) -> User:
    """A member whose role shows no prompts."""
    return make_member(organization=project.organization, role=Role.BILLING)


def _share(prompt: Prompt, user: User, permission: Permission = Permission.PROMPTS_VIEW) -> None:
    with organization_scope(prompt.organization_id):
        services.share_prompt(actor=SYSTEM, prompt=prompt, user=user, permission=permission)


def _access(user: User, project: Project) -> Access:
    return open_session(user, organization=project.organization.slug, project=project.slug).access


def _path(prompt: Prompt, project: Project, rest: str = "") -> str:
    return f"/{project.organization.slug}/{project.slug}/prompts/{prompt.public_id}/{rest}"


def test_page__of_a_shared_prompt__opens_and_no_other_does(
    client: Client, project: Project, outsider: User
) -> None:
    shared, other = make_prompt(project=project), make_prompt(project=project)
    client.force_login(outsider)
    assert client.get(_path(shared, project, "history/")).status_code == 403
    _share(shared, outsider)
    assert client.get(_path(shared, project, "history/")).status_code == 200
    assert client.get(_path(other, project, "history/")).status_code == 403
    assert client.get(_path(shared, project, "labels/move/")).status_code == 403


def test_list__of_a_grant_holder__shows_the_shared_prompts_only(
    client: Client, project: Project, outsider: User
) -> None:
    shared, other = make_prompt(project=project), make_prompt(project=project)
    client.force_login(outsider)
    address = f"/{project.organization.slug}/{project.slug}/prompts/"
    assert client.get(address).status_code == 403
    _share(shared, outsider, Permission.PROMPTS_EDIT)
    page = client.get(address).content.decode()
    assert (shared.name in page, other.name in page) == (True, False)
    assert client.get(f"{address}new/").status_code == 403


def test_api__session_of_a_grant_holder__reads_the_shared_prompt_only(
    client: Client, project: Project, outsider: User
) -> None:
    shared, other = make_prompt(project=project), make_prompt(project=project)
    _share(shared, outsider)
    client.force_login(outsider)
    headers = {"Promptsaas-Project": project.public_id}
    listed = client.get("/api/v1/prompts", headers=headers).json()["data"]
    assert [each["name"] for each in listed] == [shared.name]
    answers = [
        client.get(f"/api/v1/prompts/{prompt.name}/versions", headers=headers).status_code
        for prompt in (shared, other)
    ]
    assert answers == [200, 403]


def test_api_key__of_a_grant_holder__carries_no_grants(
    client: Client, project: Project, outsider: User
) -> None:
    prompt = make_prompt(project=project)
    _, token = make_api_key(project=project)
    with organization_scope(project.organization_id):
        tenant_services.change_role(
            actor=SYSTEM,
            membership=_second_owner(project),
            role=Role.OWNER,
        )
        owner = owner_of(project.organization)
        tenant_services.change_role(
            actor=SYSTEM, membership=Membership.objects.get(user=owner), role=Role.BILLING
        )
    _share(prompt, owner)
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get(f"/api/v1/prompts/{prompt.name}/versions", headers=headers).status_code == 403


def _second_owner(project: Project) -> Membership:
    return Membership.objects.get(user=make_member(organization=project.organization))


def test_rights_on__many_prompts__cost_one_query(project: Project, outsider: User) -> None:
    prompts = [make_prompt(project=project) for _ in range(5)]
    for prompt in prompts[:2]:
        _share(prompt, outsider, Permission.PROMPTS_EDIT)
    access = _access(outsider, project)
    with organization_scope(project.organization_id), CaptureQueriesContext(connection) as captured:
        rights = grants.rights_on(access, prompts)
    assert len(captured) == 1
    assert [rights.can(Permission.PROMPTS_EDIT, prompt) for prompt in prompts] == [True, True, *[False] * 3]
    assert rights.can(Permission.PROMPTS_VIEW, prompts[0])
    assert not rights.can(Permission.PROMPTS_RELEASE, prompts[0])


def test_rights_on__whoever_holds_all_in_the_project__costs_nothing(project: Project) -> None:
    prompt = make_prompt(project=project)
    access = _access(owner_of(project.organization), project)
    with organization_scope(project.organization_id), CaptureQueriesContext(connection) as captured:
        assert grants.rights_on(access, [prompt]).can(Permission.PROMPTS_RELEASE, prompt)
    assert len(captured) == 0


def test_grant__in_one_organization__opens_nothing_in_another(project: Project) -> None:
    other = make_project()
    user = make_member(organization=project.organization, role=Role.BILLING)
    make_member(organization=other.organization, role=Role.BILLING, user=user)
    prompt, foreign = make_prompt(project=project), make_prompt(project=other)
    _share(prompt, user)
    access = _access(user, other)
    with organization_scope(other.organization_id):
        assert not grants.is_granted_somewhere(access, other, Permission.PROMPTS_VIEW)
        assert not grants.visible_prompts(access, Prompt.objects.all()).exists()
        assert not grants.rights_on(access, [foreign, prompt]).by_prompt


def test_share_prompt__what_the_actor_lacks__is_refused(project: Project, outsider: User) -> None:
    prompt = make_prompt(project=project)
    editor = user_actor(make_member(organization=project.organization, role=Role.EDITOR))
    with organization_scope(project.organization_id), pytest.raises(errors.PermissionDenied) as caught:
        services.share_prompt(
            actor=editor, prompt=prompt, user=outsider, permission=Permission.PROMPTS_RELEASE
        )
    assert caught.value.code == "permission_not_held"


def test_share_prompt__stranger_or_other_right__is_refused(project: Project, outsider: User) -> None:
    prompt = make_prompt(project=project)
    stranger = owner_of(make_project().organization)
    for user, permission in (
        (stranger, Permission.PROMPTS_VIEW),
        (outsider, Permission.DATASETS_EDIT),
    ):
        with pytest.raises(errors.InvalidRequest):
            _share(prompt, user, permission)


def test_share_page__gives_and_takes_back__audited(client: Client, project: Project, outsider: User) -> None:
    prompt = make_prompt(project=project)
    client.force_login(owner_of(project.organization))
    path = _path(prompt, project, "share/")
    data = {"member": outsider.email, "permission": "prompts.edit"}
    assert client.post(path, data).status_code == 302
    page = client.get(path).content.decode()
    assert outsider.display_name in page
    assert "Everybody who is Owner" in page
    assert client.post(path, data | {"action": "take"}).status_code == 302
    with organization_scope(project.organization_id):
        assert not PromptUserObjectPermission.objects.exists()
    with system_scope():
        actions = AuditEvent.all_organizations.filter(action__startswith="prompt_permission.")
        assert actions.count() == 2


def test_share_page__without_managing_members__shows_but_gives_nothing(
    client: Client, project: Project, outsider: User
) -> None:
    prompt = make_prompt(project=project)
    client.force_login(make_member(organization=project.organization, role=Role.DEVELOPER))
    path = _path(prompt, project, "share/")
    page = client.get(path).content.decode()
    assert "Give access" not in page
    assert client.post(path, {"member": outsider.email, "permission": "prompts.view"}).status_code == 403


def test_overview__of_a_shared_prompt__leads_to_no_page_that_is_refused(
    client: Client, project: Project, outsider: User
) -> None:
    shared = make_prompt(project=project)
    _share(shared, outsider)
    client.force_login(outsider)
    page = client.get(_path(shared, project)).content.decode()
    assert "/runs/panel/" not in page
    assert "/playground/?prompt" not in page

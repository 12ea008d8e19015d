"""The sample organization: made once, found again at every later start."""

from dataclasses import dataclass
from typing import Final

from apps.audit.actor import SYSTEM, Actor
from apps.core.errors import NotFound
from apps.core.scope import organization_scope
from apps.prompts import queries as prompt_queries
from apps.prompts.models import Prompt
from apps.prompts.services import ANY, create_prompt, move_label, publish_version
from apps.prompts.types import PRODUCTION
from apps.tenants.access import places_of, user_actor
from apps.tenants.models import Organization, Project, User
from apps.tenants.services import create_organization, create_user
from promptsaas.demo.starter_prompts import STARTER_PROMPTS, StarterPrompt

EMAIL: Final = "demo@example.com"
USER_NAME: Final = "Demo"
ORGANIZATION: Final = "Sample Shop"


@dataclass(frozen=True)
class Seeded:
    """Whose account the demo works in. `password` is empty when it was changed since."""

    user: User
    organization: Organization
    project: Project
    password: str

    @property
    def actor(self) -> Actor:
        """The demo acts as its user."""
        return user_actor(self.user, role="owner")

    @property
    def path(self) -> str:
        """The address of the project's home page, below the origin."""
        return f"/{self.organization.slug}/{self.project.slug}/"


def seed(password: str) -> Seeded:
    """Make what is missing: user, organization with a project, the starter prompts."""
    user = _user(password)
    places = places_of(user)
    if not places:
        create_organization(actor=user_actor(user, role="owner"), name=ORGANIZATION, owner=user)
        places = places_of(user)
    organization, projects = places[0]
    seeded = Seeded(user, organization, projects[0], password if user.check_password(password) else "")
    with organization_scope(organization.id):
        for starter in STARTER_PROMPTS:
            _ensure_prompt(seeded, starter)
    return seeded


def _user(password: str) -> User:
    user = User.objects.filter(email=EMAIL).first()
    if user is None:
        user = create_user(actor=SYSTEM, email=EMAIL, password=password, name=USER_NAME, verified=True)
        # On one's own machine the admin belongs to what there is to see.
        user.is_staff = user.is_superuser = True
        user.save(update_fields=["is_staff", "is_superuser"])
    return user


def _ensure_prompt(seeded: Seeded, starter: StarterPrompt) -> Prompt:
    try:
        return prompt_queries.find_prompt(seeded.project, starter.name)
    except NotFound:
        pass
    (message, content), *later = starter.versions
    prompt = create_prompt(
        actor=seeded.actor,
        project=seeded.project,
        name=starter.name,
        kind=starter.kind,
        description=starter.description,
        content=content,
        message=message,
    )
    for number, (message, content) in enumerate(later, start=1):
        publish_version(
            actor=seeded.actor, prompt=prompt, content=content, message=message, base_number=number
        )
    move_label(
        actor=seeded.actor,
        prompt=prompt,
        label=PRODUCTION,
        number=len(starter.versions),
        expected_number=ANY,
        reason="The demo's starting point",
    )
    return prompt

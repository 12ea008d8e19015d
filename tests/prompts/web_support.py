"""A person on the pages of prompts, for the tests of those pages."""

import re
from typing import Any

from django.test import Client

from apps.core.scope import organization_scope
from apps.prompts import queries
from apps.prompts.models import Prompt
from apps.tenants.models import Project
from apps.tenants.roles import Role
from tests.factories import make_member, owner_of


class Web:
    """A signed-in person on the pages of one project."""

    def __init__(self, project: Project, role: Role | None = None) -> None:
        organization = project.organization
        self.client = Client()
        self.client.force_login(
            make_member(organization=organization, role=role) if role else owner_of(organization)
        )
        self.base = f"/{organization.slug}/{project.slug}/prompts/"

    def get(self, path: str = "", **query: str | int) -> tuple[int, str]:
        response = self.client.get(self.base + path, query)
        return response.status_code, response.content.decode()

    def post(self, path: str, data: dict[str, Any] | None = None, **headers: str) -> tuple[int, str]:
        response = self.client.post(self.base + path, data or {}, headers=headers)
        location = response.headers.get("Location", "")
        return response.status_code, location or response.content.decode()


def labels(prompt: Prompt) -> dict[str, int]:
    """Where a prompt's labels stand."""
    with organization_scope(prompt.organization_id):
        return queries.labels_of([prompt])[prompt.pk]


def newest(prompt: Prompt) -> Any:
    """Its newest version."""
    with organization_scope(prompt.organization_id):
        return queries.latest_version(Prompt.objects.get(pk=prompt.pk))


def editor_form(content: str = "Hi {{ name }}", **more: Any) -> dict[str, Any]:
    """The editor's form for one user message with one variable."""
    return {
        "role": ["user"],
        "content": [content],
        "variable": ["name"],
        "type": ["text"],
        "need": ["required"],
        "default": [""],
        "sample": [""],
        "state": ["declared"],
        "model": "sandbox/standard",
        "base_number": "1",
        **more,
    }


def words(html: str) -> str:
    """A page's text on one line."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))

"""Where a prompt can be tried; the playground is a page of a room above."""

from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse

from apps.prompts.models import Draft, Prompt
from apps.tenants.models import Organization, Project


def playground_address(
    prompt: Prompt, organization: Organization, project: Project, draft: Draft | None
) -> str:
    """The playground with a prompt in it, as its draft when there is one; empty without a playground."""
    try:
        path = reverse("runs:playground", args=[organization.slug, project.slug])
    except NoReverseMatch:
        return ""
    query = {"prompt": prompt.public_id, "version": prompt.latest_number}
    if draft is not None:
        query = {"prompt": prompt.public_id, "draft": draft.public_id}
    return f"{path}?{urlencode(query)}"

"""``/api/v1/prompts``: the list, making a prompt, its name and tags, and changes of many at once."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import ids
from apps.core.api import page, validated
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.expanding import expand_parameter
from apps.core.openapi import CURSOR_PARAMETERS, list_of
from apps.prompts import grants, library, queries, services
from apps.prompts.api.serializers import (
    ARCHIVED,
    SEARCH_IN,
    BulkResultSerializer,
    BulkSerializer,
    NewPromptSerializer,
    PromptChangeSerializer,
    PromptFilterSerializer,
    PromptSerializer,
    content_of,
    prompt_body,
    version_body,
)
from apps.prompts.api.views import PromptAPIView
from apps.prompts.models import Prompt
from apps.prompts.names import CALLS
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission


def _newest_versions(prompts: Sequence[Prompt]) -> dict[UUID, dict[str, Any]]:
    return {version.prompt_id: version_body(version) for version in queries.newest_versions(prompts)}


EXPANSIONS: Final = {"version": _newest_versions}


class PromptsAPIView(ProjectAPIView):
    """The project's prompts; a member sees those that were shared with them in any case."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_VIEW, "POST": Permission.PROMPTS_EDIT}

    def allowed(self, permission: str) -> bool:
        if super().allowed(permission):
            return True
        if permission != Permission.PROMPTS_VIEW:
            return False
        with self.scope():
            return grants.is_granted_somewhere(self.access, self.project, permission)

    @extend_schema(
        operation_id="list_prompts",
        tags=["Prompts"],
        parameters=[
            *CURSOR_PARAMETERS,
            expand_parameter(EXPANSIONS),
            OpenApiParameter("search", str, description="A phrase in names, descriptions and tags."),
            OpenApiParameter(
                "search_in",
                str,
                enum=list(SEARCH_IN),
                description="Also look into the text of the newest version, or of every version.",
            ),
            OpenApiParameter("label", str, description="Only prompts that have this label."),
            OpenApiParameter("tag", str, description="Only prompts that have this tag."),
            OpenApiParameter(
                "folder", str, description="Only prompts whose name begins with it and a slash."
            ),
            OpenApiParameter(
                "archived", str, enum=list(ARCHIVED), description="Archived prompts: none, only them, or too."
            ),
        ],
        responses=list_of(PromptSerializer),
    )
    def get(self, request: Request) -> Response:
        """The project's prompts, newest first."""
        fields = PromptFilterSerializer().fields
        asked = {name: value for name, value in request.query_params.items() if name in fields}
        wanted = validated(PromptFilterSerializer(data=asked))
        found = queries.with_labels(grants.visible_prompts(self.access, _matching(self, wanted)))
        return Response(
            page(
                found, request, lambda prompt: prompt_body(prompt, queries.loaded_labels(prompt)), EXPANSIONS
            )
        )

    @extend_schema(
        operation_id="create_prompt",
        tags=["Prompts"],
        request=NewPromptSerializer,
        responses={201: PromptSerializer},
    )
    def post(self, request: Request) -> Response:
        """Make a prompt with its version 1. No label is set."""
        given = validated(NewPromptSerializer(data=request.data))
        prompt = services.create_prompt(
            actor=self.access.actor,
            project=self.project,
            name=given["name"],
            kind=given["kind"],
            description=given["description"],
            tags=given["tags"],
            content=content_of(given),
            message=given["message"],
        )
        return Response(prompt_body(prompt, {}, queries.latest_version(prompt)), status=201)


class ChangePromptAPIView(PromptAPIView):
    """A prompt's name, description, tags and archive. It is read at the gateway."""

    permissions: ClassVar = {"PATCH": Permission.PROMPTS_EDIT}

    @property
    def default_response_headers(self) -> dict[str, str]:
        # What the address answers to as a whole: the gateway serves the other methods.
        folder, _, last = self.kwargs["name"].rpartition("/")
        allowed = "POST" if folder and last in CALLS else "GET, HEAD, PATCH"
        return {**super().default_response_headers, "Allow": allowed}

    @extend_schema(
        operation_id="update_prompt",
        tags=["Prompts"],
        request=PromptChangeSerializer,
        responses=PromptSerializer,
    )
    def patch(self, request: Request, name: str) -> Response:
        """Change what is given; 409 ``prompt_name_taken`` changes nothing.

        From a new name on the old one answers 404 within a second; the id stays the same."""
        given = validated(PromptChangeSerializer(data=request.data))
        prompt, actor = self.prompt(name), self.access.actor
        if "name" in given:
            prompt = services.rename_prompt(actor=actor, prompt=prompt, name=given["name"])
        if "description" in given:
            prompt = services.describe_prompt(actor=actor, prompt=prompt, description=given["description"])
        if "tags" in given:
            prompt = services.set_tags(actor=actor, prompt=prompt, tags=given["tags"])
        if "archived" in given:
            change = services.archive_prompt if given["archived"] else services.restore_prompt
            prompt = change(actor=actor, prompt=prompt)
        return Response(prompt_body(prompt, queries.labels_of([prompt])[prompt.pk]))


class BulkAPIView(ProjectAPIView):
    """One change of many prompts."""

    permissions: ClassVar = {"POST": Permission.PROMPTS_EDIT}

    def allowed(self, permission: str) -> bool:
        if super().allowed(permission):
            return True
        with self.scope():
            return grants.is_granted_somewhere(self.access, self.project, permission)

    @extend_schema(
        operation_id="change_prompts",
        tags=["Prompts"],
        request=BulkSerializer,
        responses=BulkResultSerializer,
    )
    def post(self, request: Request) -> Response:
        """Tag, move, archive or restore up to 2,000 prompts, all or none.

        409 names what stands in the way in ``conflicts``; with ``dry_run`` you learn it beforehand."""
        given = validated(BulkSerializer(data=request.data))
        chosen = self._chosen(given)
        matched = chosen.count()
        expected = given.get("expected_count")
        if expected is not None and expected != matched:
            message = f"{matched:,} prompts match, not {expected:,}. Nothing was changed."
            raise Conflict(message, code="selection_changed", param="expected_count", matched=matched)
        with transaction.atomic():
            changed = self._change(chosen, given)
            if given["dry_run"]:
                transaction.set_rollback(True)
        body = {"object": "bulk_result", "action": given["action"], "dry_run": given["dry_run"]}
        return Response({**body, "matched": matched, "changed": changed})

    def _chosen(self, given: Mapping[str, Any]) -> QuerySet[Prompt]:
        if ("ids" in given) == ("filter" in given):
            raise InvalidRequest("Name the prompts by ids or by filter, one of the two.", param="ids")
        if "filter" in given:
            found = _matching(self, given["filter"])
            return grants.visible_prompts(self.access, found, Permission.PROMPTS_EDIT)
        wanted = {text: ids.decode_or_none(Prompt.PREFIX, text) for text in given["ids"]}
        every = Prompt.objects.filter(project=self.project, pk__in=[each for each in wanted.values() if each])
        chosen = grants.visible_prompts(self.access, every, Permission.PROMPTS_EDIT)
        known = set(chosen.values_list("pk", flat=True))
        for text, row_id in wanted.items():
            if row_id not in known:
                raise NotFound(f"There is no prompt '{text}'.", code="prompt_not_found", param="ids")
        return chosen

    def _change(self, chosen: QuerySet[Prompt], given: Mapping[str, Any]) -> int:
        actor = self.access.actor
        if given["action"] == "tag":
            return services.tag_prompts(actor=actor, prompts=chosen, add=given["add"], remove=given["remove"])
        if given["action"] == "move":
            return services.move_prompts(actor=actor, prompts=chosen, folder=given["folder"])
        if given["action"] == "archive":
            return services.archive_prompts(actor=actor, prompts=chosen)
        return services.restore_prompts(actor=actor, prompts=chosen)


def _matching(view: ProjectAPIView, wanted: Mapping[str, Any]) -> QuerySet[Prompt]:
    return library.filter_prompts(
        view.project,
        search=wanted["search"],
        where=SEARCH_IN[wanted["search_in"]],
        folder=wanted["folder"],
        tag=wanted["tag"],
        label=wanted["label"],
        archived=ARCHIVED[wanted["archived"]],
    )

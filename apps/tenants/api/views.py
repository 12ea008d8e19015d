"""``/api/v1/``: me, organization, projects, keys."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import errors
from apps.core.api import page, validated
from apps.core.openapi import CURSOR_PARAMETERS, list_of
from apps.tenants import queries, services
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.api.serializers import (
    AccessSerializer,
    KeySerializer,
    MadeKeySerializer,
    NewKeySerializer,
    NewProjectSerializer,
    OrganizationSerializer,
    PatchKeySerializer,
    PatchOrganizationSerializer,
    ProjectSerializer,
    RotateKeySerializer,
    access_body,
    key_body,
    organization_body,
    project_body,
)
from apps.tenants.limits import MOST
from apps.tenants.models import APIKey, User
from apps.tenants.roles import ANY_MEMBER, Permission


class MeView(ProjectAPIView):
    """The caller's own access."""

    permissions: ClassVar = {"GET": ANY_MEMBER}

    @extend_schema(operation_id="get_me", tags=["Access"], responses=AccessSerializer)
    def get(self, request: Request) -> Response:
        """Who is asking, for which project, with which permissions: the call to test a key with."""
        return Response(access_body(self.access, self.project))


class OrganizationAPIView(ProjectAPIView):
    """The organization of the project."""

    permissions: ClassVar = {"GET": ANY_MEMBER, "PATCH": Permission.ORGANIZATION_MANAGE}

    @extend_schema(operation_id="get_organization", tags=["Organization"], responses=OrganizationSerializer)
    def get(self, request: Request) -> Response:
        """The organization that the key's project belongs to."""
        return Response(organization_body(self.organization))

    @extend_schema(
        operation_id="update_organization",
        tags=["Organization"],
        request=PatchOrganizationSerializer,
        responses=OrganizationSerializer,
    )
    def patch(self, request: Request) -> Response:
        """Change what bounds all keys of the organization together. API keys can't."""
        given = validated(PatchOrganizationSerializer(data=request.data))
        changed = services.set_organization_limits(
            actor=self.access.actor, organization=self.organization, limits=given
        )
        return Response(organization_body(changed))


class ProjectsAPIView(ProjectAPIView):
    """The projects of the organization."""

    permissions: ClassVar = {"GET": ANY_MEMBER, "POST": Permission.ORGANIZATION_MANAGE}

    @extend_schema(
        operation_id="list_projects",
        tags=["Projects"],
        parameters=CURSOR_PARAMETERS,
        responses=list_of(ProjectSerializer),
    )
    def get(self, request: Request) -> Response:
        """The projects that the caller can reach: a key's own, a person's all."""
        found = queries.projects()
        if self.access.api_key_id:
            found = found.filter(id=self.project.id)
        return Response(page(found, request, project_body))

    @extend_schema(
        operation_id="create_project",
        tags=["Projects"],
        request=NewProjectSerializer,
        responses={201: ProjectSerializer},
    )
    def post(self, request: Request) -> Response:
        """Make a project. API keys can't."""
        given = validated(NewProjectSerializer(data=request.data))
        project = services.create_project(
            actor=self.access.actor, organization=self.organization, name=given["name"]
        )
        return Response(project_body(project), status=201)


class KeysAPIView(ProjectAPIView):
    """The API keys of the project."""

    permissions: ClassVar = {"GET": Permission.KEYS_VIEW, "POST": Permission.KEYS_MANAGE}

    @extend_schema(
        operation_id="list_keys",
        tags=["API keys"],
        parameters=CURSOR_PARAMETERS,
        responses=list_of(KeySerializer),
    )
    def get(self, request: Request) -> Response:
        """The project's keys, newest first, revoked ones included."""
        return Response(page(queries.keys_of(self.project), request, key_body))

    @extend_schema(
        operation_id="create_key",
        tags=["API keys"],
        request=NewKeySerializer,
        responses={201: MadeKeySerializer},
    )
    def post(self, request: Request) -> Response:
        """Make a key; the answer holds its secret, this one time. API keys can't make keys."""
        given = validated(NewKeySerializer(data=request.data))
        key, token = services.create_api_key(
            actor=self.access.actor,
            project=self.project,
            created_by=_maker(self, request),
            name=given["name"],
            scopes=given["scopes"],
            livemode=given["livemode"],
            expires_at=given["expires_at"],
            allowed_networks=given["allowed_networks"],
            limits=_limits(given),
        )
        return _made(key, token)


class KeyAPIView(ProjectAPIView):
    """One API key of the project."""

    permissions: ClassVar = {
        "GET": Permission.KEYS_VIEW,
        "PATCH": Permission.KEYS_MANAGE,
        "DELETE": Permission.KEYS_MANAGE,
    }

    @extend_schema(operation_id="get_key", tags=["API keys"], responses=KeySerializer)
    def get(self, request: Request, key: str) -> Response:
        """One key, without its secret."""
        return Response(key_body(self._key(key)))

    @extend_schema(
        operation_id="update_key", tags=["API keys"], request=PatchKeySerializer, responses=KeySerializer
    )
    def patch(self, request: Request, key: str) -> Response:
        """Rename a key, or change its limits or the networks that it may be used from. API keys can't."""
        given = validated(PatchKeySerializer(data=request.data))
        changed = services.update_api_key(
            actor=self.access.actor,
            key=self._key(key),
            name=given.get("name"),
            allowed_networks=given.get("allowed_networks"),
            limits=_limits(given),
        )
        return Response(key_body(changed))

    @extend_schema(operation_id="revoke_key", tags=["API keys"], responses=KeySerializer)
    def delete(self, request: Request, key: str) -> Response:
        """Revoke a key: it is refused everywhere within a second. The row stays, with ``revoked_at``."""
        return Response(key_body(services.revoke_api_key(actor=self.access.actor, key=self._key(key))))

    def _key(self, public_id: str) -> APIKey:
        return queries.get_key(self.project, public_id)


class RotateKeyAPIView(ProjectAPIView):
    """A new key in the place of one."""

    permissions: ClassVar = {"POST": Permission.KEYS_MANAGE}

    @extend_schema(
        operation_id="rotate_key",
        tags=["API keys"],
        request=RotateKeySerializer,
        responses={201: MadeKeySerializer},
    )
    def post(self, request: Request, key: str) -> Response:
        """Make a key like this one; the old one goes on for the overlap, then expires. API keys can't."""
        given = validated(RotateKeySerializer(data=request.data))
        new, token = services.rotate_api_key(
            actor=self.access.actor,
            key=queries.get_key(self.project, key),
            created_by=_maker(self, request),
            overlap=timedelta(seconds=given["overlap_seconds"]),
        )
        return _made(new, token)


def _limits(given: Mapping[str, Any]) -> dict[str, int | None]:
    """Those that were named."""
    return {name: given[name] for name in MOST if name in given}


def _maker(view: ProjectAPIView, request: Request) -> User:
    user = request._request.user
    if view.access.api_key_id or not isinstance(user, User):
        raise errors.PermissionDenied("Only a person can make an API key.")
    return user


def _made(key: APIKey, token: str) -> Response:
    """The one answer that holds a secret."""
    return Response({**key_body(key), "secret": token}, status=201, headers={"Cache-Control": "no-store"})

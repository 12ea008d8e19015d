"""``/api/v1/prompts``. A prompt is named by its name (slashes and all) or by its id."""

from typing import ClassVar

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import page, validated
from apps.core.errors import InvalidRequest
from apps.core.numbers import whole_number
from apps.core.openapi import CURSOR_PARAMETERS, list_of
from apps.prompts import grants, queries, services
from apps.prompts.api.serializers import (
    DiffSerializer,
    LabelMoveSerializer,
    LabelSerializer,
    MoveSerializer,
    NewVersionSerializer,
    RestoreVersionSerializer,
    RollbackSerializer,
    VersionSerializer,
    content_of,
    label_body,
    move_body,
    section_body,
    version_body,
)
from apps.prompts.diffing import diff_versions
from apps.prompts.models import Prompt
from apps.prompts.names import check_label
from apps.prompts.services import ANY, ExpectedNumber
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission

LARGEST_NUMBER = 2**31 - 1
_NUMBER = {"type": "integer", "minimum": 1, "maximum": 999_999_999}
EXPECTED = OpenApiParameter(
    "expected_version", _NUMBER, description="Where you believe the label is; 409 when it is elsewhere."
)
NUMBER = OpenApiParameter("number", _NUMBER, OpenApiParameter.PATH)
LABEL_NAME = OpenApiParameter(
    "label", {"type": "string", "pattern": "^[a-z0-9][a-z0-9_.-]{0,35}$"}, OpenApiParameter.PATH
)


class PromptAPIView(ProjectAPIView, abstract=True):
    """A view of the prompt in its address; opens by role or key, or by a member's grant on that prompt."""

    def prompt(self, name: str) -> Prompt:
        """The prompt of the address. Raises NotFound."""
        return queries.find_prompt(self.project, name)

    def allowed(self, permission: str) -> bool:
        if super().allowed(permission):
            return True
        with self.scope():
            return grants.is_granted(self.access, self.project, self.kwargs["name"], permission)


class VersionsAPIView(PromptAPIView):
    """A prompt's versions."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_VIEW, "POST": Permission.PROMPTS_EDIT}

    @extend_schema(
        operation_id="list_prompt_versions",
        tags=["Prompts"],
        parameters=CURSOR_PARAMETERS,
        responses=list_of(VersionSerializer),
    )
    def get(self, request: Request, name: str) -> Response:
        """The versions, newest first."""
        return Response(page(queries.versions_of(self.prompt(name)), request, version_body))

    @extend_schema(
        operation_id="create_prompt_version",
        tags=["Prompts"],
        request=NewVersionSerializer,
        responses={201: VersionSerializer},
    )
    def post(self, request: Request, name: str) -> Response:
        """Save a version. 409 ``version_unchanged`` when nothing differs from the newest version,
        ``version_stale`` when ``base_version`` is not the newest. No label moves."""
        given = validated(NewVersionSerializer(data=request.data))
        version = services.publish_version(
            actor=self.access.actor,
            prompt=self.prompt(name),
            content=content_of(given),
            message=given["message"],
            base_number=given["base_version"],
        )
        return Response(version_body(version), status=201)


class VersionAPIView(PromptAPIView):
    """One version."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_VIEW}

    @extend_schema(
        operation_id="get_prompt_version", tags=["Prompts"], parameters=[NUMBER], responses=VersionSerializer
    )
    def get(self, request: Request, name: str, number: int) -> Response:
        """One version with its content."""
        return Response(version_body(queries.get_version(self.prompt(name), _storable(number))))


class RestoreAPIView(PromptAPIView):
    """Saving an older version again."""

    permissions: ClassVar = {"POST": Permission.PROMPTS_EDIT}

    @extend_schema(
        operation_id="restore_prompt_version",
        tags=["Prompts"],
        parameters=[NUMBER],
        request=RestoreVersionSerializer,
        responses={201: VersionSerializer},
    )
    def post(self, request: Request, name: str, number: int) -> Response:
        """Save an older version's content as the newest version. No label moves.

        409 ``version_unchanged`` when it equals the newest version."""
        given = validated(RestoreVersionSerializer(data=request.data))
        version = services.restore_version(
            actor=self.access.actor,
            prompt=self.prompt(name),
            number=_storable(number),
            message=given["message"],
            base_number=given["base_version"],
        )
        return Response(version_body(version), status=201)


class LabelsAPIView(PromptAPIView):
    """A prompt's labels."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_VIEW}

    @extend_schema(
        operation_id="list_prompt_labels",
        tags=["Labels"],
        parameters=CURSOR_PARAMETERS,
        responses=list_of(LabelSerializer),
    )
    def get(self, request: Request, name: str) -> Response:
        """The labels that are set. ``latest`` is not among them: it follows the newest version by itself."""
        return Response(page(queries.labels_with_versions(self.prompt(name)), request, label_body))


class LabelAPIView(PromptAPIView):
    """One label."""

    permissions: ClassVar = {
        "GET": Permission.PROMPTS_VIEW,
        "PUT": Permission.PROMPTS_RELEASE,
        "DELETE": Permission.PROMPTS_RELEASE,
    }

    @extend_schema(
        operation_id="get_prompt_label", tags=["Labels"], parameters=[LABEL_NAME], responses=LabelSerializer
    )
    def get(self, request: Request, name: str, label: str) -> Response:
        """Where a label points."""
        return Response(label_body(queries.get_label(self.prompt(name), label)))

    @extend_schema(
        operation_id="move_prompt_label",
        tags=["Labels"],
        parameters=[LABEL_NAME],
        request=MoveSerializer,
        responses=LabelSerializer,
    )
    def put(self, request: Request, name: str, label: str) -> Response:
        """Point a label at a version, making the label if need be.

        With ``expected_version`` it is a compare-and-set: 409 ``label_moved`` when the label is elsewhere.
        """
        given = validated(MoveSerializer(data=request.data))
        moved = services.move_label(
            actor=self.access.actor,
            prompt=self.prompt(name),
            label=label,
            number=_storable(given["version"]),
            expected_number=given.get("expected_version", ANY),
            reason=given["reason"],
        )
        return Response(label_body(moved))

    @extend_schema(
        operation_id="remove_prompt_label",
        tags=["Labels"],
        parameters=[LABEL_NAME, EXPECTED, OpenApiParameter("reason", str)],
        responses={204: None},
    )
    def delete(self, request: Request, name: str, label: str) -> Response:
        """Remove a label. Its history stays."""
        number = _number(request, "expected_version")
        expected: ExpectedNumber = ANY if number is None else number
        services.remove_label(
            actor=self.access.actor,
            prompt=self.prompt(name),
            label=label,
            expected_number=expected,
            reason=request.query_params.get("reason", ""),
        )
        return Response(status=204)


class LabelHistoryAPIView(PromptAPIView):
    """Where a label has pointed."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_VIEW}

    @extend_schema(
        operation_id="list_prompt_label_moves",
        tags=["Labels"],
        parameters=[LABEL_NAME, *CURSOR_PARAMETERS],
        responses=list_of(LabelMoveSerializer),
    )
    def get(self, request: Request, name: str, label: str) -> Response:
        """Every move, rollback and removal of a label, newest first."""
        return Response(
            page(queries.label_history(self.prompt(name), check_label(label)), request, move_body)
        )


class LabelRollbackAPIView(PromptAPIView):
    """Undoing a label's last move."""

    permissions: ClassVar = {"POST": Permission.PROMPTS_RELEASE}

    @extend_schema(
        operation_id="roll_back_prompt_label",
        tags=["Labels"],
        parameters=[LABEL_NAME],
        request=RollbackSerializer,
        responses=LabelSerializer,
    )
    def post(self, request: Request, name: str, label: str) -> Response:
        """Point a label at the version where it stood before its last move; a second rollback goes further
        back. 409 ``nothing_to_roll_back`` when there is no such version."""
        given = validated(RollbackSerializer(data=request.data))
        moved = services.rollback_label(
            actor=self.access.actor,
            prompt=self.prompt(name),
            label=label,
            expected_number=given.get("expected_version", ANY),
            reason=given["reason"],
        )
        return Response(label_body(moved))


class DiffAPIView(PromptAPIView):
    """Two versions, compared."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_VIEW}

    @extend_schema(
        operation_id="diff_prompt_versions",
        tags=["Prompts"],
        parameters=[
            OpenApiParameter("from", _NUMBER, description="The version before `to` by default."),
            OpenApiParameter("to", _NUMBER, description="The newest version by default."),
        ],
        responses=DiffSerializer,
    )
    def get(self, request: Request, name: str) -> Response:
        """What differs between two versions: messages, model, parameters, variables and output schema."""
        prompt = self.prompt(name)
        after = _number(request, "to") or prompt.latest_number
        before = _number(request, "from") or max(after - 1, 1)
        versions = [queries.version_content(queries.get_version(prompt, each)) for each in (before, after)]
        body = {
            "object": "diff",
            "prompt": prompt.public_id,
            "from_version": before,
            "to_version": after,
            "sections": [section_body(section) for section in diff_versions(*versions)],
        }
        return Response(body)


def _number(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    number = whole_number(text)
    if not number:
        raise InvalidRequest(f"{name} must be a version's number.", param=name)
    return number


def _storable(number: int) -> int:
    """A number that the database can look for; no version has a larger one."""
    return max(0, min(number, LARGEST_NUMBER))

"""``/api/v1/prompts/<name>/serving`` and ``/api/v1/serving_policy``."""

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.prompts import services
from apps.prompts.api.serving_shapes import (
    ServingChangeSerializer,
    ServingPolicySerializer,
    asked_change,
    serving_body,
)
from apps.prompts.api.views import PromptAPIView
from apps.prompts.models import Prompt
from apps.prompts.serving_state import serving_state
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission


class _Answers(ProjectAPIView, abstract=True):
    """The two actions, on a prompt's policy or on the project's."""

    def shown(self, prompt: Prompt | None) -> Response:
        """The policy as it is now."""
        return Response(serving_body(self.project, prompt, serving_state(self.project, prompt)))

    def changed(self, request: Request, prompt: Prompt | None) -> Response:
        """The policy after the change that the body asks for."""
        sections, revision = asked_change(request.data)
        services.change_serving(
            actor=self.access.actor,
            project=self.project,
            prompt=prompt,
            sections=sections,
            revision=revision,
        )
        return self.shown(prompt)


class PromptServingAPIView(_Answers, PromptAPIView):
    """How one prompt is served."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_VIEW, "PATCH": Permission.PROMPTS_RELEASE}

    @extend_schema(
        operation_id="get_prompt_serving", tags=["Serving"], responses={200: ServingPolicySerializer}
    )
    def get(self, request: Request, name: str) -> Response:
        """Guardrails, caches, calls and limits of a prompt: its own sections beside what holds."""
        return self.shown(self.prompt(name))

    @extend_schema(
        operation_id="update_prompt_serving",
        tags=["Serving"],
        request=ServingChangeSerializer,
        responses={200: ServingPolicySerializer},
    )
    def patch(self, request: Request, name: str) -> Response:
        """Put sections in place, each as a whole; null makes one the project's again.

        Every gateway obeys within a second. With ``revision`` it is a compare-and-set: 409
        ``serving_stale``. Answers name fields as ``cache.threshold``; ``warnings`` tell of models and
        variables that aren't there."""
        return self.changed(request, self.prompt(name))


class ProjectServingAPIView(_Answers):
    """How the project's prompts are served by default, and its plain models."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_VIEW, "PATCH": Permission.PROMPTS_RELEASE}

    @extend_schema(
        operation_id="get_serving_policy", tags=["Serving"], responses={200: ServingPolicySerializer}
    )
    def get(self, request: Request) -> Response:
        """The project's default: for plain models, and for prompts' sections that say nothing themselves."""
        return self.shown(None)

    @extend_schema(
        operation_id="update_serving_policy",
        tags=["Serving"],
        request=ServingChangeSerializer,
        responses={200: ServingPolicySerializer},
    )
    def patch(self, request: Request) -> Response:
        """Put sections in place, each as a whole; null makes one the product's default again.

        See the serving policy of a prompt."""
        return self.changed(request, None)

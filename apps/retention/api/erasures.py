"""``/api/v1/erasures``: ask for an erasure, follow it, call it off, fetch its certificate."""

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import errors, ids
from apps.core.api import page, validated
from apps.core.openapi import CURSOR_PARAMETERS, list_of
from apps.retention.erasure import reading, requests
from apps.retention.erasure.certificates import certificate
from apps.retention.models import ErasureKind, ErasureRequest, ErasureState, LegalHold
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.models import User
from apps.tenants.roles import Permission


class CountSerializer(serializers.Serializer[Any]):
    """How many of a class of data."""

    what = serializers.CharField()
    count = serializers.IntegerField()


class ErasureSerializer(serializers.Serializer[Any]):
    """An erasure: of an end user, a member, or the whole organization."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["erasure"])
    kind = serializers.ChoiceField(choices=ErasureKind.choices)
    state = serializers.ChoiceField(choices=ErasureState.choices)
    subject_digest = serializers.CharField(help_text="A keyed digest: the id itself is forgotten at the end.")
    reason = serializers.CharField(allow_blank=True)
    refusal = serializers.CharField(allow_null=True, help_text="Why a refused one was not carried out.")
    legal_holds = serializers.ListField(
        child=serializers.CharField(), help_text="Legal holds that stop it until they are released."
    )
    requested_by = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    execute_after = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    steps_done = serializers.IntegerField()
    steps = serializers.IntegerField()
    counts = CountSerializer(many=True)


class ColumnValueSerializer(serializers.Serializer[Any]):
    """A column of datasets, and the value that it has in the person's rows."""

    column = serializers.CharField(max_length=requests.LONGEST_TEXT)
    value = serializers.CharField(max_length=requests.LONGEST_TEXT)


class NewErasureSerializer(serializers.Serializer[Any]):
    """Whom to erase, what else to search for, and when."""

    kind = serializers.ChoiceField(choices=ErasureKind.choices)
    end_user = serializers.CharField(
        max_length=requests.LONGEST_END_USER, required=False, help_text="As programs sent it in `user`."
    )
    member = serializers.CharField(
        max_length=254, required=False, help_text="An e-mail address, `mbr_…` id or `usr_…` id."
    )
    search_member_texts = serializers.BooleanField(
        required=False, help_text="Also look for the member's name and address in datasets, runs and files."
    )
    texts = serializers.ListField(
        child=serializers.CharField(max_length=requests.LONGEST_TEXT),
        required=False,
        max_length=requests.MOST_TEXTS,
        help_text="Texts to search for everywhere, such as an e-mail address; of at least 4 characters.",
    )
    columns = ColumnValueSerializer(many=True, required=False)
    confirmation = serializers.CharField(
        max_length=100, required=False, help_text="The organization's name, to delete all of it."
    )
    reason = serializers.CharField(max_length=requests.LONGEST_REASON, required=False, allow_blank=True)
    delay = serializers.ChoiceField(
        choices=sorted(requests.DELAYS),
        required=False,
        help_text="`day` (the default) can be called off for 24 hours. An organization always has 7 days.",
    )


class LineSerializer(serializers.Serializer[Any]):
    """What was erased, and how."""

    what = serializers.CharField()
    how = serializers.CharField()
    if_text_found = serializers.BooleanField()


class StaysSerializer(serializers.Serializer[Any]):
    """What stays, why, and until when."""

    what = serializers.CharField()
    why = serializers.CharField()
    until = serializers.CharField()


class CertificateSerializer(serializers.Serializer[Any]):
    """What an erasure did; nothing in it tells whom it was about but a keyed digest."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["erasure_certificate"])
    organization = serializers.CharField()
    kind = serializers.ChoiceField(choices=ErasureKind.choices)
    subject_digest = serializers.CharField()
    reason = serializers.CharField()
    requested_by = serializers.CharField(allow_null=True)
    requested_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField()
    counts = CountSerializer(many=True)
    erased = LineSerializer(many=True)
    stays = StaysSerializer(many=True)


class ErasuresAPIView(ProjectAPIView):
    """The organization's erasures."""

    permissions: ClassVar = {"GET": Permission.PRIVACY_MANAGE, "POST": Permission.PRIVACY_MANAGE}

    @extend_schema(
        operation_id="list_erasures",
        tags=["Privacy"],
        parameters=[
            *CURSOR_PARAMETERS,
            OpenApiParameter("kind", str, enum=list(ErasureKind.values)),
            OpenApiParameter("state", str, enum=list(ErasureState.values)),
            OpenApiParameter("subject", str, description="Only those about this end user's or member's id."),
        ],
        responses=list_of(ErasureSerializer),
    )
    def get(self, request: Request) -> Response:
        """The organization's erasures, newest first. For members who manage privacy; no API key may."""
        given = request.query_params
        found = reading.erasures(
            self.organization.pk,
            kind=_one_of(ErasureKind, given.get("kind", ""), "kind"),
            state=_one_of(ErasureState, given.get("state", ""), "state"),
            search=given.get("subject", "")[: requests.LONGEST_END_USER],
        )
        holds = reading.standing_holds()
        return Response(page(found, request, lambda row: erasure_body(row, holds)))

    @extend_schema(
        operation_id="create_erasure",
        tags=["Privacy"],
        request=NewErasureSerializer,
        responses={201: ErasureSerializer},
    )
    def post(self, request: Request) -> Response:
        """Ask for an erasure. What is erased does not come back.

        409 `legal_hold` while a hold stands, `erasure_under_way` for the same again, `last_owner`.
        """
        given = validated(NewErasureSerializer(data=request.data))
        made = self._ask(given)
        return Response(erasure_body(made), status=201)

    def _ask(self, given: dict[str, Any]) -> ErasureRequest:
        common = {
            "actor": self.access.actor,
            "organization": self.organization,
            "reason": given.get("reason", ""),
        }
        delay = given.get("delay", "day")
        if given["kind"] == ErasureKind.ORGANIZATION:
            demand_owner(self)
            return requests.request_organization_erasure(**common, confirmation=given.get("confirmation", ""))
        if given["kind"] == ErasureKind.MEMBER:
            return requests.request_member_erasure(
                **common,
                member=given.get("member", ""),
                search_texts=given.get("search_member_texts", False),
                delay=delay,
            )
        columns = [(each["column"], each["value"]) for each in given.get("columns", [])]
        return requests.request_end_user_erasure(
            **common,
            end_user=given.get("end_user", ""),
            search=requests.Search(given.get("texts", []), columns),
            delay=delay,
        )


class ErasureAPIView(ProjectAPIView):
    """One erasure."""

    permissions: ClassVar = {"GET": Permission.PRIVACY_MANAGE}

    @extend_schema(operation_id="get_erasure", tags=["Privacy"], responses=ErasureSerializer)
    def get(self, request: Request, erasure: str) -> Response:
        """One erasure, with how far it is and its counts so far."""
        return Response(erasure_body(reading.get_erasure(erasure)))


class CancelErasureAPIView(ProjectAPIView):
    """Call an erasure off."""

    permissions: ClassVar = {"POST": Permission.PRIVACY_MANAGE}

    @extend_schema(operation_id="cancel_erasure", tags=["Privacy"], request=None, responses=ErasureSerializer)
    def post(self, request: Request, erasure: str) -> Response:
        """Call off an erasure that waits; 409 `erasure_not_pending` once it has begun."""
        found = reading.get_erasure(erasure)
        if found.kind == ErasureKind.ORGANIZATION:
            demand_owner(self)
        return Response(erasure_body(requests.cancel_erasure(actor=self.access.actor, request=found)))


class ErasureCertificateAPIView(ProjectAPIView):
    """The certificate of an erasure."""

    permissions: ClassVar = {"GET": Permission.PRIVACY_MANAGE}

    @extend_schema(operation_id="get_erasure_certificate", tags=["Privacy"], responses=CertificateSerializer)
    def get(self, request: Request, erasure: str) -> Response:
        """What an erasure did, counted, and what stays until when; 409 `erasure_not_done` before its end."""
        found = reading.get_erasure(erasure)
        if found.state != ErasureState.DONE:
            raise errors.Conflict("There is a certificate once it is done.", code="erasure_not_done")
        return Response(certificate(found))


def erasure_body(erasure: ErasureRequest, holds: list[LegalHold] | None = None) -> dict[str, Any]:
    """An erasure as the API shows it; `holds` are the legal holds that stand, if they are known already."""
    state = reading.progress_of(erasure, reading.standing_holds() if holds is None else holds)
    by = erasure.requested_by_id
    return {
        "id": erasure.public_id,
        "object": "erasure",
        "kind": erasure.kind,
        "state": erasure.state,
        "subject_digest": erasure.subject_digest,
        "reason": erasure.reason,
        "refusal": erasure.refusal or None,
        "legal_holds": [hold.public_id for hold in state.held_by],
        "requested_by": ids.encode(User.PREFIX, by) if by else None,
        "created_at": erasure.created_at,
        "execute_after": erasure.execute_after,
        "started_at": erasure.started_at,
        "ended_at": erasure.ended_at,
        "steps_done": state.through,
        "steps": state.steps,
        "counts": [{"what": words, "count": count} for words, count in state.counted],
    }


def demand_owner(view: ProjectAPIView) -> None:
    """Deleting the organization, and calling that off, is a right of its own."""
    if not view.access.can(Permission.ORGANIZATION_DELETE):
        raise errors.PermissionDenied(
            f"Your role doesn't have the permission {Permission.ORGANIZATION_DELETE}.",
            code="permission_missing",
            permission=Permission.ORGANIZATION_DELETE,
        )


def _one_of(choices: Any, text: str, param: str) -> str:
    if text and text not in choices.values:
        raise errors.InvalidRequest(f"{param} is one of {', '.join(choices.values)}.", param=param)
    return text

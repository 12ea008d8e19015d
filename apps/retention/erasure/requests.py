"""Asking for an erasure, and calling one off while it waits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.audit.models import AuditDetail
from apps.core import errors, ids, queue
from apps.prompts.models import LabelMove, PromptVersion
from apps.retention.erasure.subjects import Subject, digest_of, seal_subject
from apps.retention.erasure.telling import tell_owners
from apps.retention.models import ErasureKind, ErasureRequest, ErasureState, LegalHold
from apps.tenants.models import Membership, Organization, User
from apps.tenants.roles import Role
from apps.tenants.services.common import GivenRole, check_may_give

JOB: Final = "apps.retention.jobs.erase"
GRACE: Final = timedelta(days=7)
DELAYS: Final = {"none": timedelta(0), "day": timedelta(days=1)}
MOST_TEXTS: Final = 10
SHORTEST_TEXT: Final = 4
LONGEST_TEXT: Final = 200
LONGEST_REASON: Final = 200
LONGEST_END_USER: Final = 255


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched beside an id: texts anywhere, and values in columns of datasets."""

    texts: Sequence[str] = ()
    columns: Sequence[tuple[str, str]] = ()


def request_end_user_erasure(
    *,
    actor: Actor,
    organization: Organization,
    end_user: str,
    search: Search,
    reason: str = "",
    delay: str = "day",
) -> ErasureRequest:
    """Ask that everything of an end user is erased; with `delay` "day" it can be called off for a day.

    Raises InvalidRequest naming the field, Conflict while a legal hold stands or the same is under way.
    """
    end_user = end_user.strip()
    if not end_user:
        raise errors.InvalidRequest(
            "Give the end user's id, as your programs send it.", code="parameter_missing", param="end_user"
        )
    if len(end_user) > LONGEST_END_USER:
        raise errors.InvalidRequest(
            f"An end user's id has at most {LONGEST_END_USER} characters.", param="end_user"
        )
    checked = _checked(search)
    subject = Subject(end_user=end_user, texts=tuple(checked.texts), columns=tuple(checked.columns))
    return _ask(actor, organization, ErasureKind.END_USER, subject, reason, _delay(delay))


def request_member_erasure(
    *,
    actor: Actor,
    organization: Organization,
    member: str,
    search_texts: bool = False,
    reason: str = "",
    delay: str = "day",
) -> ErasureRequest:
    """Ask that a member, or who was one, is erased: by e-mail address, `mbr_…` or `usr_…` id.

    `search_texts` also looks for name and address in datasets, runs and files. Raises NotFound for a
    stranger, Conflict for the last owner, PermissionDenied for a role above the actor's.
    """
    user, membership = _find_person(organization, member.strip())
    if membership is not None:
        check_may_give(actor, organization.id, GivenRole(membership.role, membership.custom_role))
        _keep_an_owner(membership)
    names = sorted({user.display_name, user.name, *_names_on_work(user.pk)} - {"", user.email})
    texts = (user.email, *(name for name in names if len(name) >= SHORTEST_TEXT)) if search_texts else ()
    subject = Subject(
        user_id=str(user.pk), names=tuple(names), emails=(user.email,), texts=texts[:MOST_TEXTS]
    )
    return _ask(actor, organization, ErasureKind.MEMBER, subject, reason, _delay(delay))


def request_organization_erasure(
    *, actor: Actor, organization: Organization, confirmation: str, reason: str = ""
) -> ErasureRequest:
    """Ask that the organization is deleted after seven days; `confirmation` is its name, typed.

    Everything works as before until then, and every owner gets a mail. Raises InvalidRequest for another
    name, Conflict as the others do.
    """
    if confirmation != organization.name:
        raise errors.InvalidRequest(
            f"Type {organization.name} exactly as it is written here.",
            code="confirmation_wrong",
            param="confirmation",
        )
    subject = Subject(user_id=str(organization.pk))
    request = _ask(actor, organization, ErasureKind.ORGANIZATION, subject, reason, GRACE)
    tell_owners(request, organization)
    return request


def cancel_erasure(*, actor: Actor, request: ErasureRequest) -> ErasureRequest:
    """Call off an erasure that waits. Raises Conflict for one that has begun or ended."""
    locked = ErasureRequest.objects.select_for_update().get(pk=request.pk)
    if locked.state != ErasureState.PENDING:
        raise errors.Conflict(
            "It has begun, so it can't be called off: what is erased does not come back."
            if locked.state == ErasureState.RUNNING
            else "It has ended already.",
            code="erasure_not_pending",
        )
    locked.state, locked.ended_at, locked.sealed_subject = (
        ErasureState.CANCELLED,
        timezone.now(),
        None,
    )
    locked.save(update_fields=["state", "ended_at", "sealed_subject"])
    audit.record(
        actor=actor,
        action="erasure.cancelled",
        target=locked,
        organization_id=locked.organization_id,
        changes={"state": (ErasureState.PENDING, ErasureState.CANCELLED)},
    )
    return locked


def _ask(
    actor: Actor,
    organization: Organization,
    kind: ErasureKind,
    subject: Subject,
    reason: str,
    delay: timedelta,
) -> ErasureRequest:
    _refuse_held()
    request = ErasureRequest(
        organization_id=organization.pk,
        kind=kind,
        subject_digest=digest_of(organization.pk, subject.identity),
        reason=_checked_reason(reason, subject),
        requested_by_id=actor.id if actor.kind == "user" else None,
        execute_after=timezone.now() + delay,
    )
    if kind != ErasureKind.ORGANIZATION:
        request.sealed_subject = seal_subject(request, subject)
    try:
        with transaction.atomic():
            request.save(force_insert=True)
    except IntegrityError:
        raise errors.Conflict("The same erasure waits or runs already.", code="erasure_under_way") from None
    audit.record(
        actor=actor,
        action="erasure.requested",
        target=request,
        organization_id=organization.pk,
        changes={"kind": (None, kind), "execute_after": (None, request.execute_after)},
    )
    if not delay:
        queue.enqueue(JOB, str(request.pk))
    return request


def _refuse_held() -> None:
    holds = list(LegalHold.objects.filter(released_at__isnull=True).order_by("pk")[:5])
    if holds:
        named = ", ".join(hold.public_id for hold in holds)
        raise errors.Conflict(
            f"A legal hold forbids it: {named}. Nothing is erased until it is released.",
            code="legal_hold",
        )


def _find_person(organization: Organization, member: str) -> tuple[User, Membership | None]:
    if not member:
        raise errors.InvalidRequest(
            "Give the member's e-mail address or id.", code="parameter_missing", param="member"
        )
    members = Membership.objects.select_related("user", "custom_role")
    membership_id = ids.decode_or_none(Membership.PREFIX, member)
    user_id = ids.decode_or_none(User.PREFIX, member)
    found = (
        members.filter(pk=membership_id)
        if membership_id
        else members.filter(user_id=user_id)
        if user_id
        else members.filter(user__email__iexact=member)
    ).first()
    if found is not None:
        return found.user, found
    former = User.objects.filter(pk=user_id).first() if user_id and _has_traces(user_id) else None
    if former is None:
        raise errors.NotFound(
            "Nobody here has this address or id. Somebody who has left is named by their usr_… id, "
            "which the audit log shows.",
            code="member_not_found",
            param="member",
        )
    return former, None


def _has_traces(user_id: UUID) -> bool:
    """Whether somebody who isn't a member was one: the audit log or the prompts name them."""
    return (
        AuditDetail.objects.filter(subject_ids__contains=[str(user_id)]).exists()
        or PromptVersion.objects.filter(author_kind="user", author_id=user_id).exists()
    )


def _names_on_work(user_id: UUID) -> set[str]:
    """The names that a person had when they wrote: pages show them by value."""
    names: set[str] = set()
    for model in (PromptVersion, LabelMove):
        rows = model.objects.filter(author_kind="user", author_id=user_id)
        names |= set(rows.values_list("author_name", flat=True).distinct())
    return names


def _keep_an_owner(membership: Membership) -> None:
    others = Membership.objects.filter(role=Role.OWNER, user__is_active=True).exclude(pk=membership.pk)
    if membership.role == Role.OWNER and not others.exists():
        raise errors.Conflict(
            "The last owner can't go. Make somebody else an owner first.", code="last_owner", param="member"
        )


def _checked(search: Search) -> Search:
    texts = list(dict.fromkeys(text.strip() for text in search.texts if text.strip()))
    if len(texts) > MOST_TEXTS:
        raise errors.InvalidRequest(f"At most {MOST_TEXTS} texts are searched for.", param="texts")
    for text in texts:
        if not SHORTEST_TEXT <= len(text) <= LONGEST_TEXT:
            raise errors.InvalidRequest(
                f"A text to search for has {SHORTEST_TEXT} to {LONGEST_TEXT} characters: a shorter one would "
                "stand in too much that is about others.",
                param="texts",
            )
    if len(search.columns) > MOST_TEXTS:
        raise errors.InvalidRequest(f"At most {MOST_TEXTS} columns are compared.", param="columns")
    for column, value in search.columns:
        if not column or not value or max(len(column), len(value)) > LONGEST_TEXT:
            raise errors.InvalidRequest(
                f"Name a column and the value it has, each of at most {LONGEST_TEXT} characters.",
                param="columns",
            )
    return Search(texts, [(column, value) for column, value in search.columns])


def _checked_reason(reason: str, subject: Subject) -> str:
    reason = " ".join(reason.split())
    if len(reason) > LONGEST_REASON:
        raise errors.InvalidRequest(f"A reason has at most {LONGEST_REASON} characters.", param="reason")
    told = (subject.end_user, *subject.texts, *subject.names, *subject.emails)
    if any(text and len(text) >= SHORTEST_TEXT and text.casefold() in reason.casefold() for text in told):
        raise errors.InvalidRequest(
            "The reason names whom it is about, and stays in the certificate. Say it without the name.",
            param="reason",
        )
    return reason


def _delay(delay: str) -> timedelta:
    if delay not in DELAYS:
        raise errors.InvalidRequest("delay is none or day.", param="delay")
    return DELAYS[delay]

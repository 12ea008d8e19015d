"""A member: out of the organization and of the names on its work; the account if it belongs nowhere else."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import models
from django.db.models import Exists, F, Func, OuterRef, Q, Value
from django.utils import timezone

from apps.analytics.models import AlertRule
from apps.audit.actor import SYSTEM
from apps.audit.models import AuditDetail
from apps.batches.models import BatchJob
from apps.batches.openai_models import OpenAIBatch
from apps.batches.preparation_models import RowPreparation
from apps.batches.scale_models import ScaleTest
from apps.core import changes, errors
from apps.core.models import OutgoingMail, TenantModel
from apps.datasets.models import DatasetImport
from apps.prompts.models import Draft, Label, LabelMove, Prompt, PromptVersion, ServingPolicy
from apps.providers.models import ModelAlias
from apps.retention.erasure.work import Work, walk
from apps.retention.models import ErasureRequest, ErasureState
from apps.runs.models import Feedback
from apps.tenants import services as tenants
from apps.tenants.models import APIKey, Invitation, Membership, User, UserSession

# Who asked for an erasure is part of its certificate.
KEPT_LINKS: Final = (ErasureRequest,)


def pseudonym(work: Work) -> str:
    """What stands in place of the member's name."""
    return f"Deleted user {UUID(work.subject.user_id).hex[-6:]}"


def end_membership(work: Work) -> bool:
    """Out of the organization, with what that ends. The last owner can't go: then nothing is done."""
    found = Membership.objects.filter(user_id=work.subject.user_id).first()
    if found is None:
        return True
    membership_id = found.pk
    try:
        tenants.remove_membership(actor=SYSTEM, membership=found)
    except errors.Conflict as problem:
        request = work.request
        request.state, request.refusal = ErasureState.REFUSED, problem.message
        request.sealed_subject, request.ended_at = None, timezone.now()
        request.save(update_fields=["refusal", "sealed_subject", "ended_at"])
        return False
    # Alert rules name memberships, and one that is gone by its id.
    gone = Value(membership_id, models.UUIDField())
    AlertRule.objects.filter(recipients__contains=[membership_id]).update(
        recipients=Func(F("recipients"), gone, function="array_remove")
    )
    work.count("memberships", 1)
    return True


def replace_names(work: Work) -> bool:
    """The pseudonym in place of names on the organization's work; links to the account are taken away."""
    user_id, name = work.subject.user_id, pseudonym(work)
    ours = {"organization_id": work.organization_id}
    names = [*work.subject.names, *work.subject.emails]
    authored: tuple[tuple[Any, dict[str, Any], str], ...] = (
        (PromptVersion, {"author_kind": "user", "author_id": user_id}, "author_name"),
        (LabelMove, {"author_kind": "user", "author_id": user_id}, "author_name"),
        (BatchJob, {"started_by_kind": "user", "started_by_id": user_id}, "started_by_name"),
        (OpenAIBatch, {"started_by_kind": "user", "started_by_id": user_id}, "started_by_name"),
        (RowPreparation, {"started_by_kind": "user", "started_by_id": user_id}, "started_by_name"),
        (DatasetImport, {"started_by_kind": "user", "started_by_id": user_id}, "started_by_name"),
        (ScaleTest, {"started_by_kind": "user", "started_by_id": user_id}, "started_by_name"),
        (Feedback, {"giver": f"user:{user_id}"}, "giver_name"),
        (Prompt, {"changed_by__in": names}, "changed_by"),
        (Prompt, {"archived_by__in": names}, "archived_by"),
        (Label, {"moved_by__in": names}, "moved_by"),
        (ServingPolicy, {"changed_by__in": names}, "changed_by"),
        (ModelAlias, {"created_by__in": names}, "created_by"),
    )
    for model, wanted, field in authored:
        rows = model.all_organizations.filter(**ours, **wanted).exclude(**{field: name})
        work.count("names", rows.update(**{field: name}))
    _empty_keys_and_invitations(work)
    drafts, _ = Draft.all_organizations.filter(**ours, user_id=user_id).delete()
    work.count("drafts", drafts)
    for model, link in links_to_users():
        model.all_organizations.filter(**ours, **{link: user_id}).update(**{link: None})
    return True


def links_to_users() -> list[tuple[type[TenantModel], str]]:
    """Every nullable link from an organization's row to an account."""
    return [
        (model, field.name)
        for model in apps.get_models()
        if issubclass(model, TenantModel) and model not in KEPT_LINKS
        for field in model._meta.local_concrete_fields
        if field.related_model is User and field.null
    ]


def empty_found_invitations(work: Work) -> bool:
    """Invitations to an address that holds one of the texts; open ones are withdrawn."""
    found, through = walk(work, Invitation.all_organizations.filter(organization_id=work.organization_id))
    _empty_invitations(work, [each for each in found if work.texts.stand_in(each.email)])
    return through


def erase_account(work: Work) -> bool:
    """The account itself, unless it belongs to another organization or to staff: then it is not ours to take.

    What is done is not counted, so that nobody learns whether there is another organization.
    """
    user = User.objects.select_for_update().filter(pk=work.subject.user_id).first()
    if user is None or user.is_staff or Membership.all_organizations.filter(user_id=user.pk).exists():
        return True
    _end_sessions(user)
    for model in (EmailConfirmation, EmailAddress, Authenticator):
        link = "email_address__user" if model is EmailConfirmation else "user"
        model.objects.filter(**{link: user}).delete()
    person = Q(part=AuditDetail.Part.PERSON, subject_ids__contains=[str(user.pk)])
    AuditDetail.all_organizations.filter(person, organization_id__isnull=True).delete()
    to_them = [Q(recipients__contains=[each]) for each in work.subject.emails]
    for wanted in to_them:
        OutgoingMail.objects.filter(wanted, organization_id__isnull=True).delete()
    named = Q(content_type=ContentType.objects.get_for_model(User), object_id=str(user.pk))
    LogEntry.objects.filter(named).update(object_repr=pseudonym(work), change_message="")
    _anonymise(user, pseudonym(work))
    changes.append("membership", str(user.pk))
    return True


def _empty_keys_and_invitations(work: Work) -> None:
    user_id, ours = UUID(work.subject.user_id), {"organization_id": work.organization_id}
    keys = APIKey.all_organizations.filter(**ours, created_by_id=user_id)
    work.count("keys", keys.update(last_used_ip=None, allowed_networks=[]))
    theirs = Q(accepted_by_id=user_id)
    for each in work.subject.emails:
        theirs |= Q(email__iexact=each)
    _empty_invitations(work, list(Invitation.all_organizations.filter(theirs, **ours).order_by("pk")))


def _empty_invitations(work: Work, invitations: Sequence[Invitation]) -> None:
    for invitation in invitations:
        invitation.email = f"{invitation.pk.hex}@erased.invalid"
        invitation.revoked_at = invitation.revoked_at or (None if invitation.accepted_at else timezone.now())
        invitation.save(update_fields=["email", "revoked_at"])
        work.count("invitations", 1)


def _end_sessions(user: User) -> None:
    seen = UserSession.objects.filter(user=user)
    Session.objects.filter(session_key__in=list(seen.values_list("session_id", flat=True))).delete()
    # A session that no page has been opened with yet names its user inside only.
    unseen = Session.objects.filter(~Exists(UserSession.objects.filter(session_id=OuterRef("pk"))))
    gone = [
        each.pk
        for each in unseen.filter(expire_date__gt=timezone.now()).iterator()
        if each.get_decoded().get("_auth_user_id") == str(user.pk)
    ]
    Session.objects.filter(pk__in=gone).delete()


def _anonymise(user: User, name: str) -> None:
    user.email, user.name = f"{user.pk.hex}@erased.invalid", name
    user.is_active, user.is_superuser = False, False
    user.theme, user.time_zone, user.table_columns = "", "UTC", {}
    user.set_unusable_password()
    user.last_login = None
    user.save()

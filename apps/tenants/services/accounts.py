"""Writes of a user's own account, which belongs to no organization: profile, second factors, sessions.

The second factors themselves are stored by allauth; what stands here goes into the same transaction.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django.core.mail import send_mail
from django.db import connection, transaction
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import errors
from apps.core.ids import uuid7
from apps.core.models import find
from apps.tenants.models import User, UserSession
from apps.tenants.zones import is_zone

SEEN_EVERY: Final = timedelta(minutes=5)

FACTORS_REMOVED: Final = "Your second factors were removed"
FACTORS_REMOVED_TEXT: Final = (
    "Staff removed the authenticator app, passkeys and recovery codes of your account, as asked for by you. "
    "Sign in with your password and set up new ones.\n\nIf it wasn't you who asked, change your password now "
    "and answer this mail.\n"
)

_MARK_SEEN: Final = """
    INSERT INTO tenants_usersession (id, user_id, session_key, ip, user_agent, created_at, last_seen_at)
    SELECT %s, %s, session_key, %s, %s, %s, %s FROM django_session WHERE session_key = %s
    ON CONFLICT (session_key) DO UPDATE
        SET ip = EXCLUDED.ip, user_agent = EXCLUDED.user_agent, last_seen_at = EXCLUDED.last_seen_at
        WHERE tenants_usersession.last_seen_at < %s
"""


def update_profile(
    *, actor: Actor, user: User, name: str, theme: str, time_zone: str, keyboard_shortcuts: bool
) -> User:
    """Store what a user chose. Raises InvalidRequest naming the field that is wrong."""
    name = " ".join(name.split())
    if len(name) > 100:
        raise errors.InvalidRequest("A name has at most 100 characters.", param="name")
    if theme not in User.Theme.values:
        raise errors.InvalidRequest("The theme is light, dark or empty for the system's.", param="theme")
    if not is_zone(time_zone):
        raise errors.InvalidRequest("There is no such time zone.", param="time_zone")
    values = {
        "name": name,
        "theme": theme,
        "time_zone": time_zone,
        "keyboard_shortcuts": keyboard_shortcuts,
    }
    with transaction.atomic():
        user = User.objects.select_for_update().get(id=user.id)
        changed = {
            field: (getattr(user, field), value)
            for field, value in values.items()
            if getattr(user, field) != value
        }
        if not changed:
            return user
        for field, (_, value) in changed.items():
            setattr(user, field, value)
        user.save(update_fields=sorted(changed))
        personal = {"name": changed.pop("name")} if "name" in changed else {}
        audit.record(
            actor=actor,
            action="user.updated",
            target=user,
            organization_id=None,
            changes=changed,
            personal_changes=personal,
        )
    return user


def note_second_factor_added(*, actor: Actor, user: User, kind: str, name: str = "") -> None:
    """Audit a new authenticator app ("totp") or passkey ("webauthn"), in the transaction that stores it."""
    _note(actor, user, "second_factor.added", kind=(None, kind), name=(None, name))


def note_second_factor_removed(*, actor: Actor, user: User, kind: str, name: str = "") -> None:
    """Audit the end of an authenticator app or passkey, in the transaction that deletes it."""
    _note(actor, user, "second_factor.removed", kind=(kind, None), name=(name, None))


def remove_second_factors(*, actor: Actor, user: User) -> int:
    """Take every second factor off an account whose owner has lost them, and tell them; returns how many.

    For staff, who have made sure of the person by other means.
    """
    with transaction.atomic():
        rows = list(Authenticator.objects.select_for_update().filter(user=user).order_by("id"))
        if not rows:
            return 0
        Authenticator.objects.filter(id__in=[row.pk for row in rows]).delete()
        kinds = sorted(str(row.type) for row in rows)
        _note(actor, user, "second_factor.all_removed", kinds=(kinds, []))
        send_mail(FACTORS_REMOVED, FACTORS_REMOVED_TEXT, None, [user.email])
    return len(rows)


def note_passkey_renamed(*, actor: Actor, user: User, before: str, after: str) -> None:
    """Audit a passkey's new name."""
    _note(actor, user, "second_factor.renamed", name=(before, after))


def note_recovery_codes_made(*, actor: Actor, user: User) -> None:
    """Audit a new set of recovery codes; the old ones have ended."""
    _note(actor, user, "recovery_codes.generated")


def note_recovery_code_used(*, actor: Actor, user: User, left: int) -> None:
    """Audit that a recovery code was spent."""
    _note(actor, user, "recovery_code.used", left=(left + 1, left))


def note_password_changed(*, actor: Actor, user: User, keep: str | None) -> None:
    """Audit a new password, and end the user's sessions beside ``keep``, whose auth hash has ended anyway."""
    _delete_sessions(user, keep=keep)
    _note(actor, user, "user.password_changed")


def end_session(*, actor: Actor, user: User, session: str) -> UserSession:
    """End one session by its public id, at once and everywhere. Raises NotFound for one that isn't theirs."""
    with transaction.atomic():
        found = find(UserSession.objects.select_for_update().filter(user=user), session)
        if found is None:
            raise errors.NotFound("This session has ended already.")
        Session.objects.filter(session_key=found.session_id).delete()
        _note(actor, user, "session.ended", session=(found.public_id, None))
    return found


def end_other_sessions(*, actor: Actor, user: User, keep: str | None) -> int:
    """End every session of a user beside the one with the key ``keep``; returns how many."""
    with transaction.atomic():
        ended = _delete_sessions(user, keep=keep)
        if ended:
            _note(actor, user, "session.others_ended", sessions=(ended, 0))
    return ended


def mark_session_seen(*, user_id: UUID, session_key: str, ip: str | None, user_agent: str) -> None:
    """Note where a session is used, at most once in five minutes. One statement; not audited."""
    now = timezone.now()
    values = [
        uuid7(),
        user_id,
        ip,
        user_agent.replace("\0", "")[:400],
        now,
        now,
        session_key,
        now - SEEN_EVERY,
    ]
    with connection.cursor() as cursor:
        cursor.execute(_MARK_SEEN, values)


def _delete_sessions(user: User, *, keep: str | None) -> int:
    keys = UserSession.objects.filter(user=user).exclude(session_id=keep or "").order_by("session_id")
    found = list(keys.values_list("session_id", flat=True))
    deleted, _ = Session.objects.filter(session_key__in=found).delete()
    return deleted


def _note(actor: Actor, user: User, action: str, **changes: tuple[object, object]) -> None:
    audit.record(actor=actor, action=action, target=user, organization_id=None, changes=changes)

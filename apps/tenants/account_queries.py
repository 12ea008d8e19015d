"""Reads of a user's own account: second factors and sessions. They belong to no organization."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.mfa import app_settings as mfa_settings
from allauth.mfa.models import Authenticator
from django.contrib.auth import HASH_SESSION_KEY
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from apps.tenants import devices
from apps.tenants.models import User, UserSession

SECOND_FACTORS: Final = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


@dataclass(frozen=True, slots=True)
class Passkey:
    """A registered passkey. ``passwordless`` is None when the browser didn't say."""

    id: int
    name: str
    passwordless: bool | None
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class RecoveryCodes:
    """How many recovery codes were made and are left; never the codes."""

    total: int
    left: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SecondFactors:
    """What a user has beside the password."""

    app_since: datetime | None
    app_last_used_at: datetime | None
    passkeys: tuple[Passkey, ...]
    recovery_codes: RecoveryCodes | None

    @property
    def any(self) -> bool:
        """Whether signing in takes a second factor. Recovery codes alone are none."""
        return self.app_since is not None or bool(self.passkeys)


@dataclass(frozen=True, slots=True)
class SeenSession:
    """A session that still works, as its owner sees it."""

    public_id: str
    browser: str
    system: str
    user_agent: str
    ip: str | None
    started_at: datetime
    last_seen_at: datetime
    current: bool


@dataclass(frozen=True, slots=True)
class Addresses:
    """A user's e-mail addresses: the primary one, and how many more."""

    primary: str
    verified: bool
    others: int


def users_with_mfa(user_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the users who have a second factor; one statement."""
    found = Authenticator.objects.filter(user_id__in=list(user_ids), type__in=SECOND_FACTORS)
    return set(found.values_list("user_id", flat=True))


def has_second_factor(user_id: UUID) -> bool:
    """Whether signing in takes the user more than a password."""
    return bool(users_with_mfa([user_id]))


def second_factors_of(user: User) -> SecondFactors:
    """Everything a user has beside the password; one statement, no secret."""
    rows = list(Authenticator.objects.filter(user=user).order_by("id"))
    app = next((row for row in rows if row.type == Authenticator.Type.TOTP), None)
    codes = next((row for row in rows if row.type == Authenticator.Type.RECOVERY_CODES), None)
    return SecondFactors(
        app_since=app.created_at if app else None,
        app_last_used_at=app.last_used_at if app else None,
        passkeys=tuple(_passkey(row) for row in rows if row.type == Authenticator.Type.WEBAUTHN),
        recovery_codes=_codes(codes) if codes else None,
    )


def sessions_of(user: User, current_key: str | None) -> list[SeenSession]:
    """A user's sessions that still work, the current one first, then the last seen; one statement."""
    rows = UserSession.objects.filter(user=user, session__expire_date__gt=timezone.now())
    good = user.get_session_auth_hash()
    # A changed password ends sessions without removing their rows.
    live = [
        row
        for row in rows.select_related("session").order_by("-last_seen_at")
        if constant_time_compare(row.session.get_decoded().get(HASH_SESSION_KEY, ""), good)
    ]
    live.sort(key=lambda row: row.session_id != current_key)
    return [_seen(row, current_key) for row in live]


def addresses_of(user: User) -> Addresses:
    """The primary address of a user and the number of the others."""
    rows = list(EmailAddress.objects.filter(user=user))
    primary = next((row for row in rows if row.primary), None)
    if primary is None:
        return Addresses(user.email, False, len(rows))
    return Addresses(primary.email, primary.verified, len(rows) - 1)


def _passkey(row: Authenticator) -> Passkey:
    wrapped = row.wrap()
    return Passkey(row.pk, wrapped.name, wrapped.is_passwordless, row.created_at, row.last_used_at)


def _codes(row: Authenticator) -> RecoveryCodes:
    # Counted from the mask: the codes themselves stay sealed.
    total = mfa_settings.RECOVERY_CODE_COUNT
    used = int(row.data.get("used_mask", 0)).bit_count()
    return RecoveryCodes(total, total - used, row.created_at)


def _seen(row: UserSession, current_key: str | None) -> SeenSession:
    return SeenSession(
        public_id=row.public_id,
        browser=devices.browser_of(row.user_agent),
        system=devices.system_of(row.user_agent),
        user_agent=row.user_agent,
        ip=row.ip,
        started_at=row.created_at,
        last_seen_at=row.last_seen_at,
        current=row.session_id == current_key,
    )


def has_account(email: str) -> bool:
    """Whether somebody signs in with an address, or has proved that it is theirs too."""
    proved = EmailAddress.objects.filter(email__iexact=email, verified=True)
    return User.objects.filter(email__iexact=email).exists() or proved.exists()

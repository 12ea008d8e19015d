"""Tokens of the playground: for a minute, one person may run what stands on their page, in one project.

A token says who asks and where; what that person may do is looked up when it is used. Only the gateway's
playground address takes it.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.core import signing

from apps.core.errors import AuthenticationFailed

PREFIX: Final = "pst_"
SECONDS: Final = 60
LONGEST: Final = 400
_SALT: Final = "promptsaas.playground.1"


@dataclass(frozen=True, slots=True)
class PlaygroundUser:
    """Who a token stands for, and where."""

    organization_id: UUID
    project_id: UUID
    user_id: UUID


def issue_token(who: PlaygroundUser) -> str:
    """A token that holds for `SECONDS`."""
    content = [who.organization_id.hex, who.project_id.hex, who.user_id.hex]
    return PREFIX + signing.dumps(content, salt=_SALT)


def read_token(token: str) -> PlaygroundUser:
    """Who a token stands for. Raises AuthenticationFailed."""
    if not token.startswith(PREFIX) or len(token) > LONGEST:
        raise AuthenticationFailed(
            "This address takes a token of the playground, not an API key.", code="playground_token_invalid"
        )
    try:
        content = signing.loads(token.removeprefix(PREFIX), salt=_SALT, max_age=SECONDS)
    except signing.SignatureExpired:
        raise AuthenticationFailed(
            "The playground's token has expired. Ask for a new one.", code="playground_token_expired"
        ) from None
    except signing.BadSignature:
        raise AuthenticationFailed(
            "The playground's token is not one of ours.", code="playground_token_invalid"
        ) from None
    return PlaygroundUser(*(UUID(hex=each) for each in content))

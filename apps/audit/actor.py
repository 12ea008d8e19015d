"""Who did it."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from apps.core import ids

ActorKind = Literal["user", "api_key", "system", "staff"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, as every service's first argument.

    `id` is the user's or the API key's; `role` the role or scopes they acted with; `display` a name or
    e-mail address and `ip` the client's address: both are personal and go into the erasable detail.
    """

    kind: ActorKind
    id: UUID | None
    role: str
    display: str
    ip: str | None = None
    request_id: str | None = None

    def told(self) -> dict[str, str | None]:
        """The actor as outsiders are told of it: kind and public id, nothing personal."""
        prefix = "key" if self.kind == "api_key" else "usr"
        return {"type": self.kind, "id": ids.encode(prefix, self.id) if self.id else None}


SYSTEM = Actor(kind="system", id=None, role="system", display="system")

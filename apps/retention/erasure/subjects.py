"""Whom an erasure is about, sealed in its request until the work is done."""

import hashlib
import hmac
from dataclasses import asdict, dataclass
from typing import Final
from uuid import UUID

import orjson

from apps.core import crypto
from apps.retention.models import ErasureRequest

TABLE: Final = "retention_erasurerequest"
_DIGEST: Final = b"promptsaas erasure digest 1"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is looked for.

    `end_user` is the id that programs gave with their runs. `texts` are searched everywhere; `columns` are
    pairs of a dataset's column and the value that it has in the person's rows. A member has `user_id`, and
    the names and addresses that they appear under.
    """

    end_user: str = ""
    texts: tuple[str, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    user_id: str = ""
    names: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """What the digest is made of."""
        return self.end_user or self.user_id


def seal_subject(request: ErasureRequest, subject: Subject) -> bytes:
    """The subject as the request keeps it; inside the organization's scope."""
    return crypto.seal(
        orjson.dumps(asdict(subject)),
        organization_id=request.organization_id,
        table=TABLE,
        column="sealed_subject",
        row_id=request.pk,
    )


def subject_of(request: ErasureRequest) -> Subject:
    """Whom an open request is about; an empty subject for one that has ended, or for an organization."""
    if request.sealed_subject is None:
        return Subject()
    plain = crypto.unseal(
        bytes(request.sealed_subject),
        organization_id=request.organization_id,
        table=TABLE,
        column="sealed_subject",
        row_id=request.pk,
    )
    values = orjson.loads(plain)
    return Subject(
        end_user=values["end_user"],
        texts=tuple(values["texts"]),
        columns=tuple((column, value) for column, value in values["columns"]),
        user_id=values["user_id"],
        names=tuple(values["names"]),
        emails=tuple(values["emails"]),
    )


def digest_of(organization_id: UUID, identity: str) -> str:
    """A keyed digest by which the organization, and nobody else, recognises an id; inside a scope."""
    key = hmac.digest(crypto.data_key(organization_id), _DIGEST, hashlib.sha256)
    return hmac.new(key, identity.encode(), hashlib.sha256).hexdigest()

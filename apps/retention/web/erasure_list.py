"""The list of erasures: its columns, filters and file."""

from dataclasses import dataclass
from typing import Final

from apps.core.tables import Column, Filter, Table, register
from apps.retention.erasure.certificates import counted
from apps.retention.models import ErasureKind, ErasureRequest, ErasureState


@dataclass(frozen=True, slots=True)
class ErasureRow:
    """An erasure, and how much it found."""

    erasure: ErasureRequest
    found: int


def _rows(erasures: list[ErasureRequest]) -> list[ErasureRow]:
    return [ErasureRow(each, sum(number for _, number in counted(each))) for each in erasures]


ERASURES: Final = register(
    Table[ErasureRequest, ErasureRow](
        key="erasures",
        prefix=ErasureRequest.PREFIX,
        noun=("erasure", "erasures"),
        search="Search by id",
        default_sort="-asked",
        prepare=_rows,
        filters=(
            Filter("kind", "Kind", ErasureKind.choices),
            Filter("state", "State", ErasureState.choices),
        ),
        columns=(
            Column("id", "Id", lambda row: row.erasure.public_id, always=True),
            Column("kind", "Kind", lambda row: row.erasure.get_kind_display(), sort="kind"),
            Column("state", "State", lambda row: row.erasure.get_state_display(), sort="state"),
            Column("reason", "Reason", lambda row: row.erasure.reason, sort="reason"),
            Column("digest", "Digest", lambda row: row.erasure.subject_digest, default=False),
            Column("found", "Found", lambda row: row.found, numeric=True),
            Column(
                "by",
                "Asked by",
                lambda row: row.erasure.requested_by.display_name if row.erasure.requested_by else None,
            ),
            Column("asked", "Asked", lambda row: row.erasure.created_at, sort="id", downwards=True),
            Column(
                "ended",
                "Ended",
                lambda row: row.erasure.ended_at,
                sort="ended_at",
                nullable=True,
                downwards=True,
            ),
        ),
    )
)

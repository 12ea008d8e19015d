"""What a backup says about itself."""

import dataclasses
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from apps.core.keys import master_keys

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
_NAME: Final = re.compile(r"[a-z_][a-z0-9_]*")
_BOUND: Final = re.compile(r"FOR VALUES FROM \('[0-9a-f-]{36}'\) TO \('[0-9a-f-]{36}'\)")


class BackupError(RuntimeError):
    """A backup that can't be written or restored; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class TableCopy:
    """One table's rows in the file."""

    name: str
    columns: list[str]
    rows: int
    sha256: str

    @property
    def member(self) -> str:
        """The name inside the zip."""
        return f"tables/{self.name}.copy"


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition that must exist before its parent is filled."""

    parent: str
    name: str
    bound: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything but the rows. `migrations` are the applied ones, as (app, name)."""

    made_at: str
    migrations: list[tuple[str, str]]
    tables: list[TableCopy]
    partitions: list[Partition]
    sequences: dict[str, int]
    master_keys: dict[str, str]
    format: int = FORMAT

    def to_json(self) -> bytes:
        """The text of `manifest.json`."""
        return json.dumps(dataclasses.asdict(self), indent=1).encode()

    @property
    def rows(self) -> int:
        """Rows of all tables together."""
        return sum(table.rows for table in self.tables)


def read_manifest(text: bytes) -> Manifest:
    """The manifest of a backup. Raises BackupError for a text that none of ours has written."""
    try:
        fields: dict[str, Any] = json.loads(text)
        if fields["format"] != FORMAT:
            raise BackupError(f"This file has format {fields['format']}; this release reads {FORMAT}.")
        manifest = Manifest(
            **{
                **fields,
                "migrations": [(app, name) for app, name in fields["migrations"]],
                "tables": [TableCopy(**table) for table in fields["tables"]],
                "partitions": [Partition(**partition) for partition in fields["partitions"]],
            }
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BackupError(f"The manifest can't be read: {error}") from error
    _check_names(manifest)
    return manifest


def key_fingerprints() -> dict[str, str]:
    """A mark of each master key by version, from which the key can't be found."""
    return {
        str(version): hmac.new(key, b"promptsaas backup", hashlib.sha256).hexdigest()[:16]
        for version, key in master_keys().items()
    }


def _check_names(manifest: Manifest) -> None:
    # They become SQL identifiers and one clause that can't be a parameter.
    names = [*manifest.sequences, *(each.name for each in manifest.tables)]
    names += [column for table in manifest.tables for column in table.columns]
    names += [name for each in manifest.partitions for name in (each.parent, each.name)]
    strange = [name for name in names if not _NAME.fullmatch(name)]
    strange += [each.bound for each in manifest.partitions if not _BOUND.fullmatch(each.bound)]
    if strange:
        raise BackupError(f"The manifest names something that no backup of ours would: {strange[0]!r}.")

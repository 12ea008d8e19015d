"""Rows as a page shows them and as a person edits them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from django import forms

from apps.core.json_bodies import DEPTH_LIMIT, is_too_deep
from apps.datasets.exporting import is_text
from apps.datasets.models import DatasetChange, DatasetRow, DatasetVersion
from apps.datasets.values import StoredValues, original

SHOWN_CHARACTERS: Final = 200
ROLE_WORDS: Final = {
    "variable": "variable",
    "expected": "expected output",
    "metadata": "metadata",
    "ignore": "ignored",
}
_HELP: Final = {"number": "A number, or nothing", "boolean": "true, false, or nothing", "json": "JSON"}


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row of a page; `kind` is "", added, changed or removed; `place`, `sequence` say where it stands."""

    number: int | None
    place: int
    sequence: int
    cells: list[str]
    kind: str = ""


def kept(row: DatasetRow | DatasetChange) -> StoredValues:
    """What a row, or an edit of one, holds."""
    return StoredValues(row.variables, row.expected, row.metadata, row.source)


def shown_columns(version: DatasetVersion) -> list[dict[str, str]]:
    """The version's columns with the words of their roles."""
    return [column | {"words": ROLE_WORDS.get(column["role"], "")} for column in version.columns]


def cells_of(version: DatasetVersion, values: StoredValues) -> list[str]:
    """A row's cells, cut to what a table can show."""
    given = original(version.columns, values, text=is_text(version))
    return [shown(given.get(column["column"])) for column in version.columns]


def shown(value: Any) -> str:
    """A value in a table's cell."""
    text = plain(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def plain(value: Any) -> str:
    """A value as text: JSON for what is no text, nothing for null."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def merged(
    version: DatasetVersion, rows: Iterable[DatasetRow], changes: Iterable[DatasetChange]
) -> list[ShownRow]:
    """The rows of a page with a draft's edits in their places."""
    base = {row.number: row for row in rows}
    found = [ShownRow(row.number, row.number, 0, cells_of(version, kept(row))) for row in base.values()]
    by_place = {(row.place, row.sequence): row for row in found}
    for change in changes:
        row = base.get(change.place)
        removed = change.removed and row is not None
        values = kept(row) if removed and row is not None else kept(change)
        kind = "removed" if removed else "added" if change.sequence else "changed"
        number = None if change.sequence else change.place
        by_place[change.place, change.sequence] = ShownRow(
            number, change.place, change.sequence, cells_of(version, values), kind
        )
    return [by_place[key] for key in sorted(by_place)]


class RowForm(forms.Form):
    """One field a column. A field that is left as it was keeps its value to the letter.

    `values` are what the row holds, by column. Values of a CSV file are text; others keep their type, and a
    column of mixed types is edited as text where it holds text, as JSON where it holds something else.
    """

    revision = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1)

    def __init__(self, *args: Any, base: DatasetVersion, values: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._base, self._values = base, values
        for number, column in enumerate(base.columns):
            label = column["column"]
            if column["name"] != label and column["role"] in {"variable", "metadata"}:
                label = f"{label} ({ROLE_WORDS[column['role']]} {column['name']})"
            elif column["role"] != "variable":
                label = f"{label} ({ROLE_WORDS[column['role']]})"
            self.fields[f"value_{number}"] = forms.CharField(
                label=label,
                required=False,
                strip=False,
                initial=plain(values.get(column["column"])),
                help_text=self._help(column),
                widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "true"}),
            )

    def _help(self, column: dict[str, str]) -> str:
        if is_text(self._base) and column.get("type", "text") != "json":
            return _HELP.get(column.get("type", ""), "")
        return _HELP["json"] if self._reads_json(column) else _HELP.get(column.get("type", ""), "")

    def _reads_json(self, column: dict[str, str]) -> bool:
        if is_text(self._base):
            return False
        value = self._values.get(column["column"])
        return column.get("type") in {"number", "boolean"} or not (value is None or isinstance(value, str))

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        result: dict[str, Any] = {}
        for number, column in enumerate(self._base.columns):
            name, field = column["column"], f"value_{number}"
            text = _lines(cleaned.get(field, ""))
            if text == _lines(plain(self._values.get(name))):
                # A missing value stays missing.
                if name in self._values:
                    result[name] = self._values[name]
            elif not self._reads_json(column):
                result[name] = text
            elif text.strip():
                try:
                    result[name] = orjson.loads(text)
                except orjson.JSONDecodeError as error:
                    self.add_error(field, f"This is not valid JSON: {error}. Text needs quotes here.")
                else:
                    if is_too_deep(result[name]):
                        self.add_error(field, f"This is nested deeper than {DEPTH_LIMIT} levels.")
        if is_text(self._base):
            result = {column["column"]: "" for column in self._base.columns} | result
        cleaned["values"] = result
        return cleaned


def _lines(text: str) -> str:
    """Browsers send every line break as CR LF."""
    return text.replace("\r\n", "\n")

"""What the staff style guide shows: one specimen per component, drawn in both themes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from re import findall
from typing import Any
from uuid import UUID

from django import forms
from django.contrib.staticfiles.finders import find
from django.http import QueryDict
from django.utils import timezone

from apps.core import ids
from apps.core.charts import spark
from apps.core.tables import Column, Filter, Listing, Table
from apps.core.templatetags.ui import BADGES
from apps.dashboard.specimen_charts import specimen_charts

SWATCHES = (
    ("bg", "ground"),
    ("surface", "panels"),
    ("sunken", "code, tracks"),
    ("text", "16.9 / 14.6"),
    ("muted", "5.7 / 7.6"),
    ("border", "decorative"),
    ("control", "3.4 / 4.0"),
    ("accent", "6.7 / 6.5"),
    ("accent-soft", "selection"),
    ("ok", "5.7 / 7.7"),
    ("warn", "5.7 / 8.2"),
    ("bad", "5.8 / 7.3"),
    ("info", "5.2 / 7.2"),
    ("series-1", "chart"),
    ("series-2", "chart"),
    ("series-3", "chart"),
    ("series-4", "chart"),
    ("series-5", "chart"),
    ("series-6", "chart"),
)
DIFF_ROWS = (
    {
        "same": True,
        "old": {"number": 1, "text": "You write replies for the help desk."},
        "new": {"number": 1, "text": "You write replies for the help desk."},
    },
    {
        "old": {
            "number": 2,
            "parts": [
                {"text": "Use the tone guide: friendly"},
                {"text": " and helpful", "changed": True},
                {"text": "."},
            ],
        },
        "new": {
            "number": 2,
            "parts": [
                {"text": "Use the tone guide: friendly"},
                {"text": ", exact, no filler", "changed": True},
                {"text": "."},
            ],
        },
    },
    {"old": None, "new": {"number": 3, "parts": [{"text": "Sign as {{ agent_name }}.", "changed": True}]}},
    {"hidden": 9},
)
CODE = 'curl "$PROMPTSAAS_URL/v1/models" \\\n  -H "Authorization: Bearer $PROMPTSAAS_KEY"'


class SpecimenForm(forms.Form):
    """Every kind of control, one of them with an error."""

    name = forms.CharField(max_length=80, help_text="Letters, digits, - and _")
    temperature = forms.FloatField(max_value=2, error_messages={"max_value": "Use a number from 0 to 2."})
    model = forms.ChoiceField(choices=[("standard", "sandbox/standard"), ("fast", "sandbox/fast")])
    secret = forms.CharField(widget=forms.PasswordInput(render_value=True))
    kind = forms.ChoiceField(choices=[("text", "Text"), ("chat", "Chat")], widget=forms.RadioSelect)
    retry = forms.BooleanField(label="Retry failed rows", help_text="Up to 3 times, with a pause.")
    note = forms.CharField(widget=forms.Textarea, required=False)


@dataclass(frozen=True)
class Specimen:
    """One row of the guide; `part` names a partial of `dashboard/specimens.html`."""

    name: str
    part: str
    note: str = ""

    @property
    def template(self) -> str:
        """The name under which the template engine finds the partial."""
        return f"dashboard/specimens.html#{self.part}"


SPECIMENS: Sequence[Specimen] = (
    Specimen("Colour", "colour", "contrast: worst pair light / dark"),
    Specimen("Type", "type", "system fonts, tabular figures"),
    Specimen("Icons", "icons", "24 px grid, 1.75 px stroke"),
    Specimen("Button", "buttons", "primary, default, quiet, danger, busy; one primary a page"),
    Specimen("Icon button", "icon_buttons", "always with a label"),
    Specimen("Field", "fields", "label, help, counter, error"),
    Specimen("Message block", "message"),
    Specimen("Chips", "chips", "variable, label, tag; production filled"),
    Specimen("Status badge", "badges", "icon, word and colour together"),
    Specimen("Avatar", "people"),
    Specimen("Card", "card", "no shadow"),
    Specimen("Stat tile", "tiles"),
    Specimen("Data table", "table", "becomes cards on a phone"),
    Specimen("List", "list", "search, filters with chips, columns, export, choice of rows; one declaration"),
    Specimen("Filter bar", "filters"),
    Specimen("Tabs", "tabs", "real links"),
    Specimen("Dialog", "dialog", "says from and to"),
    Specimen("Search box", "palette", "Ctrl K from anywhere; recent first"),
    Specimen("Menu", "menu"),
    Specimen("Shortcuts", "keys", "the dialog behind ?"),
    Specimen("Banner", "banners"),
    Specimen("Toast", "toast", "said once, kept behind the bell"),
    Specimen("Empty state", "empty"),
    Specimen("Progress", "progress", "bar and skeleton"),
    Specimen(
        "Chart",
        "chart",
        "server-made; textures and dashes beside colour, gaps for unknown figures, a table and a file",
    ),
    Specimen("Steps", "steps", "done, current, still to do"),
    Specimen("Diff", "diff", "signs, no strike-through"),
    Specimen("Timeline", "timeline"),
    Specimen("Code block", "code"),
    Specimen("Code in languages", "codetabs", "radio buttons, no script"),
)


def specimen_context() -> dict[str, Any]:
    """Return what the specimens' partials need."""
    return {
        "specimens": SPECIMENS,
        "panes": [_pane(theme) for theme in ("light", "dark")],
        "swatches": SWATCHES,
        "icon_names": _icon_names(),
        "badge_names": list(BADGES),
        "small_amount": Decimal("0.004405"),
        "large_amount": Decimal("61.18"),
        "label_options": [("production", "production"), ("staging", "staging")],
        "tabs": [
            {"label": "Progress", "href": "#main", "current": True},
            {"label": "Results", "href": "#main", "count": 6300},
        ],
        "diff_rows": DIFF_ROWS,
        "timeline_items": _timeline_items(),
        "code_text": CODE,
        "spark": spark([4, 9, 7, None, 12, 11, 18]),
        "change": {"words": "0.31 s slower than before", "direction": "up", "verdict": "bad"},
        "steps": [("Try the demo prompt", "done"), ("Create a prompt", "current"), ("Make a call", "")],
    }


def _pane(theme: str) -> dict[str, Any]:
    values = {"name": "refund-decision", "temperature": "3.4", "secret": "correct horse", "kind": "text"}
    form = SpecimenForm({f"{theme}-{key}": value for key, value in values.items()}, prefix=theme)
    for name in ("model", "retry", "note"):
        form.errors.pop(name, None)
    return {
        "theme": theme,
        "form": form,
        "message_id": f"{theme}-message",
        "code_id": f"{theme}-code",
        "list": _list(theme),
        "charts": specimen_charts(theme),
    }


@dataclass(frozen=True)
class SpecimenRow:
    """A row of the list that the guide shows."""

    pk: UUID
    name: str
    note: str


def _list(theme: str) -> Listing[SpecimenRow]:
    table = Table[Any, SpecimenRow](
        key=f"specimen-{theme}",
        prefix="prm",
        noun=("prompt", "prompts"),
        search="Search prompts",
        default_sort="name",
        filters=(Filter("label", "Label", [("production", "production"), ("staging", "staging")]),),
        columns=(
            Column("name", "Name", lambda row: row.name, sort="name", always=True),
            Column("note", "What for", lambda row: row.note),
        ),
    )
    rows = [
        SpecimenRow(UUID(int=1), "refund-decision", "Approve, decline or hand over"),
        SpecimenRow(UUID(int=2), "language-detect", "ISO 639-1 code"),
    ]
    chosen = ids.encode("prm", rows[0].pk)
    asked = table.read(QueryDict(f"label=production&id={chosen}"))
    return Listing(table, asked, rows, table.shown(None), previous="", next="#main", total=None)


def _icon_names() -> list[str]:
    path = find("icons.svg")
    return findall(r'<symbol id="i-([\w-]+)"', Path(str(path)).read_text()) if path else []


def _timeline_items() -> list[dict[str, Any]]:
    now = timezone.now()
    return [
        {
            "href": "#main",
            "title": "v9",
            "labels": ["staging"],
            "text": "Quote policy instead of promising",
            "who": "Mira Okafor",
            "at": now - timedelta(minutes=12),
            "current": True,
            "note": "B, shown",
        },
        {
            "href": "#main",
            "title": "v7",
            "labels": ["production"],
            "text": "Add order block",
            "who": "Jonas Weber",
            "at": now - timedelta(days=15),
            "picked": "a",
            "note": "A, base",
        },
    ]

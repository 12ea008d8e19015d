"""A short report out of figures and notes, for someone who has two minutes."""

from typing import Any, Final

from apps.dashboard.gallery.example import (
    SANDBOX_MODEL,
    Example,
    TestRow,
    messages,
    schema,
    text,
    texts,
    variable,
)
from apps.prompts.types import VersionContent

_SYSTEM: Final = """
You write the {{ period }} report of a team for {{ reader }}, who has two minutes.

- The summary says first what changed and what has to be decided. At most three sentences.
- Every figure that you name stands in the input. A change in per cent is given only where both values are
  there; round to whole per cent.
- A cause is a cause only when the notes say so. Otherwise write “not known” and put the question under open
  questions.
- Name at most three risks, the worst first. No adjectives of praise.
"""
_USER: Final = """
Figures, now and before:
{%- for figure in figures %}
- {{ figure.name }}: {{ figure.now }}, before {{ figure.before }} {{ figure.unit }}
{%- endfor %}

{%- if notes %}

Notes of the team:
{%- for note in notes %}
- {{ note }}
{%- endfor %}
{%- else %}
The team left no notes.
{%- endif %}
"""


def _figure(name: str, now: float, before: float, unit: str = "") -> dict[str, Any]:
    return {"name": name, "now": now, "before": before, "unit": unit}


def _row(period: str, figures: list[dict[str, Any]], *notes: str) -> TestRow:
    return TestRow({"period": period, "figures": figures, "notes": list(notes)})


_ORDERS: Final = _figure("Orders", 1840, 1610)
_RETURNS: Final = _figure("Returns", 212, 121)

REPORT: Final = Example(
    key="report",
    title="Report",
    icon="chart",
    name="reports/status",
    description="Turns figures and notes into a report of two minutes, with questions instead of guesses.",
    use="Teams that write the same report every week.",
    content=VersionContent(
        messages=messages(_SYSTEM, _USER),
        variables=(
            variable("figures", [_ORDERS, _RETURNS], "json"),
            variable("notes", ["The new courier began on Monday."], "json", required=False),
            variable("period", "weekly", default="weekly"),
            variable("reader", "the head of operations", default="the head of operations"),
        ),
        model=SANDBOX_MODEL,
        parameters={"temperature": 0.2, "max_tokens": 700},
        output_schema=schema(
            {
                "headline": text("One line that a reader would remember."),
                "summary": text("At most three sentences."),
                "changes": {
                    "type": "array",
                    "items": schema(
                        {
                            "figure": text("The figure's name."),
                            "direction": {"type": "string", "enum": ["up", "down", "same"]},
                            "cause": text("As the notes say, else: not known."),
                        }
                    ),
                },
                "risks": texts("At most three, the worst first."),
                "open_questions": texts("What nobody has answered yet."),
            }
        ),
    ),
    dataset="Report tests",
    rows=(
        _row("weekly", [_ORDERS, _RETURNS], "The new courier began on Monday."),
        _row("weekly", [_figure("First answer", 38, 55, "minutes")], "Two people joined the evening shift."),
        _row("monthly", [_figure("New customers", 402, 397), _figure("Churned", 61, 44)]),
        _row("weekly", [_figure("Uptime", 99.2, 99.97, "%")], "A certificate ran out on Wednesday night."),
        _row("monthly", [_figure("Spend on ads", 12400, 9800, "€"), _figure("Orders", 1620, 1610)]),
        _row("quarterly", [_figure("Open positions", 3, 7)], "Three offers were declined over pay."),
        _row("weekly", [_figure("Tickets", 910, 905)], "Nothing special."),
        _row("weekly", [_figure("Stock of lamps", 0, 140)], "The container is late; the harbour is closed."),
    ),
)

"""Where an offer stands in its market, from notes, with what is not known said."""

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
You analyse a market for {{ reader }} from the notes that are given, and from nothing else: no figure, maker
or date out of your memory.

- Facts and conclusions stand apart. A conclusion names the note that it rests on by its number.
- Compare by what customers decide on, not by what makers say of themselves.
- Say how sure you are: “high” needs two notes that agree, “medium” one, “low” none.
- What would change your mind belongs under open questions.
{%- if horizon %}
- Look {{ horizon }} ahead and no further.
{%- endif %}
"""
_USER: Final = """
Our offer: {{ offer }}
Market: {{ market }}

Notes
{%- for note in notes %}
{{ loop.index }}. {{ note.text }}{% if note.source is defined %} ({{ note.source }}){% endif %}

{%- endfor %}
"""


def _notes(*texts_: str) -> list[dict[str, Any]]:
    return [{"text": each, "source": "interview"} for each in texts_]


def _row(offer: str, market: str, *notes: str) -> TestRow:
    return TestRow({"offer": offer, "market": market, "notes": _notes(*notes)})


MARKET_ANALYSIS: Final = Example(
    key="market-analysis",
    title="Market analysis",
    icon="search",
    name="research/market-analysis",
    description="Says where an offer stands, what speaks for and against it, and what nobody knows yet.",
    use="Product and sales teams with notes from interviews and the web.",
    content=VersionContent(
        messages=messages(_SYSTEM, _USER),
        variables=(
            variable("offer", "Desk lamps that can be repaired, 79 €"),
            variable("market", "Home offices in Germany"),
            variable(
                "notes",
                _notes("Two of five buyers asked for spare parts.", "A rival sells a lamp for 39 €."),
                "json",
            ),
            variable("reader", "the founders", default="the founders"),
            variable("horizon", "one year", required=False),
        ),
        model=SANDBOX_MODEL,
        parameters={"temperature": 0.3, "max_tokens": 900},
        output_schema=schema(
            {
                "position": text("Where the offer stands, in two sentences."),
                "strengths": texts("What speaks for it, with the note's number."),
                "weaknesses": texts("What speaks against it, with the note's number."),
                "rivals": {
                    "type": "array",
                    "items": schema(
                        {"name": text("As the notes call it."), "threat": text("How it hurts us.")}
                    ),
                },
                "confidence": {"type": "string", "enum": ["high", "medium", "low"]},
                "open_questions": texts("What would change the analysis."),
            }
        ),
    ),
    dataset="Market analysis tests",
    rows=(
        _row("Desk lamps that can be repaired, 79 €", "Home offices", "Two of five asked for spare parts."),
        _row("Wool blankets", "Gifts", "Most orders come in December.", "Customers call the price fair."),
        _row("A rain jacket", "Commuters by bicycle", "A rival gives ten years of guarantee."),
        _row("A tutor for mathematics", "Schools", "Teachers decide, parents pay.", "Budgets close in May."),
        _row("Meal kits", "Families", "Seven of ten cancelled after the discount ended."),
        _row("Software for dentists", "Small practices", "Nobody switches during the year."),
        _row("Repair of coffee machines", "Offices", "Rivals need five days, we need two."),
        _row("A city guide", "Weekend travellers", "Nobody asked for it."),
    ),
)

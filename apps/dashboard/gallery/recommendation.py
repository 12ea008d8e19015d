"""What to offer a customer next, out of a list, with a reason for each."""

from typing import Any, Final

from apps.dashboard.gallery.example import SANDBOX_MODEL, Example, TestRow, messages, schema, text, variable
from apps.prompts.types import VersionContent

_SYSTEM: Final = """
You choose what a shop shows a customer next. Choose at most {{ count }} items, best first, and only out of
the list.

How to choose
- What the customer bought says what they need; what they gave back says what they do not want.
- Never offer what they already have, unless it is used up.
- A cheaper item that fits beats a dearer one that nearly fits.
- When nothing fits, choose nothing and say so in the summary.

The reason is one sentence to the customer. It names what it goes with, and nothing private: no age, health,
religion or money.
"""
_USER: Final = """
Bought:
{%- for item in bought %}
- {{ item.name }}{% if item.returned %} (given back: {{ item.returned }}){% endif %}
{%- else %}
- nothing yet
{%- endfor %}
{%- if looked_at %}
Looked at today: {{ looked_at|join(", ") }}
{%- endif %}

On offer:
{%- for item in offers %}
- {{ item.id }}: {{ item.name }}, {{ item.price }} €
{%- endfor %}
"""
_OFFERS: Final[list[dict[str, Any]]] = [
    {"id": "lamp-2", "name": "Clamp lamp", "price": 39},
    {"id": "bulb-1", "name": "Warm light bulb", "price": 6},
    {"id": "mug-4", "name": "Stoneware mug", "price": 14},
    {"id": "tea-3", "name": "Black tea, 100 g", "price": 8},
    {"id": "jacket-1", "name": "Rain jacket", "price": 119},
    {"id": "care-2", "name": "Wool wash", "price": 9},
]


def _row(bought: list[dict[str, Any]], looked_at: list[str], expected: str) -> TestRow:
    return TestRow({"bought": bought, "looked_at": looked_at, "offers": _OFFERS}, expected)


RECOMMENDATION: Final = Example(
    key="recommendation",
    title="Recommendation",
    icon="tag",
    name="shop/recommendation",
    description="Chooses what to offer a customer next out of your list, with a reason for each.",
    use="Shops, libraries and media sites that explain what they suggest.",
    content=VersionContent(
        messages=messages(_SYSTEM, _USER),
        variables=(
            variable("bought", [{"name": "Oak desk lamp"}, {"name": "Teapot"}], "json"),
            variable("offers", _OFFERS, "json"),
            variable("looked_at", ["Stoneware mug"], "json", required=False),
            variable("count", 3, "number", default=3),
        ),
        model=SANDBOX_MODEL,
        parameters={"temperature": 0.2, "max_tokens": 500},
        output_schema=schema(
            {
                "recommendations": {
                    "type": "array",
                    "maxItems": 5,
                    "items": schema(
                        {
                            "id": text("The item's id out of the list."),
                            "reason": text("One sentence to the customer."),
                            "confidence": {"type": "string", "enum": ["high", "medium", "low"]},
                        }
                    ),
                },
                "summary": text("One sentence for the shop: what was chosen and why."),
            }
        ),
    ),
    dataset="Recommendation tests",
    rows=(
        _row([{"name": "Oak desk lamp"}], [], "bulb-1"),
        _row([{"name": "Teapot"}], ["Stoneware mug"], "mug-4"),
        _row([{"name": "Wool blanket"}], [], "care-2"),
        _row([{"name": "Clamp lamp", "returned": "too bright"}], [], "no lamp"),
        _row([], ["Rain jacket"], "jacket-1"),
        _row([], [], "nothing, or the cheapest that fits"),
        _row([{"name": "Black tea, 100 g"}, {"name": "Stoneware mug"}], [], "tea-3"),
        _row([{"name": "Bicycle lights"}, {"name": "Rain trousers"}], [], "jacket-1"),
    ),
)

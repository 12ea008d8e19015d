"""A product text for a page, a mail or a post, from facts alone."""

from typing import Final

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
You write for {{ brand }}. Voice: {{ voice }}.

Use only the facts that are given. A fact that is missing is left out, never made up: no prices, no awards, no
numbers, no comparison with other makers unless they stand there. Write plain words that a customer would say
aloud. No exclamation marks, no “unleash”, no “elevate”.
{%- if channel == "post" %}
A post: two sentences, then at most three hashtags made of single words.
{%- elif channel == "mail" %}
A mail: a subject of at most 45 characters as the title, then two short paragraphs and one thing to do.
{%- else %}
A page: a title of at most 60 characters, then three short paragraphs of which the first says for whom it is.
{%- endif %}
"""
_USER: Final = """
Product: {{ product }}
Facts:
{%- for fact in facts %}
- {{ fact }}
{%- endfor %}
{%- if audience %}
Readers: {{ audience }}
{%- endif %}
"""


def _row(product: str, channel: str, audience: str, *facts: str) -> TestRow:
    return TestRow({"product": product, "channel": channel, "audience": audience, "facts": list(facts)})


CONTENT_GENERATION: Final = Example(
    key="content-generation",
    title="Content generation",
    icon="list",
    name="content/product-text",
    description="Writes a product text for a page, a mail or a post, and invents no facts.",
    use="Shops and marketing teams with many products and one voice.",
    content=VersionContent(
        messages=messages(_SYSTEM, _USER),
        variables=(
            variable("product", "Oak desk lamp"),
            variable(
                "facts", ["Solid oak from Sweden", "Warm light, three levels", "Made to be repaired"], "json"
            ),
            variable("channel", "page", default="page"),
            variable("audience", "people who work at home", required=False),
            variable("brand", "Sample Shop", default="Sample Shop"),
            variable("voice", "calm, exact, a little dry", default="calm, exact, a little dry"),
        ),
        model=SANDBOX_MODEL,
        parameters={"temperature": 0.7, "max_tokens": 600},
        output_schema=schema(
            {
                "title": text("The title, or the mail's subject."),
                "body": text("The text itself, paragraphs apart by an empty line."),
                "keywords": texts("Three to six words that readers would search for."),
                "used_facts": texts("The facts that the text uses, word for word as given."),
            }
        ),
    ),
    dataset="Product text tests",
    rows=(
        _row(
            "Oak desk lamp",
            "page",
            "people who work at home",
            "Solid oak from Sweden",
            "Three levels of light",
        ),
        _row("Wool blanket", "post", "", "Made of recycled wool", "130 by 180 cm", "Woven in Portugal"),
        _row(
            "Rain jacket",
            "mail",
            "cyclists",
            "Seams are taped",
            "Folds into its own pocket",
            "Reflective back",
        ),
        _row("Stoneware mug", "page", "", "Holds 350 ml", "Safe in a dishwasher"),
        _row("Garden shears", "post", "people with a small garden", "Blades can be changed", "210 g"),
        _row("Travel kettle", "mail", "", "Works at 110 and 230 volts", "Boils half a litre in four minutes"),
        _row("Notebook", "page", "students", "160 pages", "Lies flat", "Paper takes ink without bleeding"),
        _row("Cast iron pan", "post", "", "24 cm", "Seasoned by hand", "Works on induction"),
    ),
)

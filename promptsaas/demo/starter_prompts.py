"""The three prompts that a new demo begins with."""

from dataclasses import dataclass
from typing import Any, Final

from apps.dashboard.gallery import SANDBOX_MODEL, SUPPORT_REPLY
from apps.prompts.types import VersionContent

REVIEW_SENTIMENT: Final = "review-sentiment"


@dataclass(frozen=True)
class StarterPrompt:
    """A prompt with the versions it has lived through; production stands on the last."""

    name: str
    kind: str
    description: str
    versions: tuple[tuple[str, VersionContent], ...]


def _messages(system: str, user: str) -> tuple[dict[str, Any], ...]:
    return ({"role": "system", "content": system}, {"role": "user", "content": user})


def _text(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "text", "required": "default" not in more} | more


_REVIEW_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "sentiment": {
            "type": "string",
            "enum": ["Positive", "Negative", "Neutral"],
            "description": "How the customer feels about the purchase as a whole.",
        },
        "product_issue": {
            "type": "string",
            "description": "The main problem that the customer names, or that there is none.",
        },
        "recommendation": {
            "type": "string",
            "description": "One step that the shop should take next.",
        },
    },
    "required": ["sentiment", "product_issue", "recommendation"],
    "additionalProperties": False,
}

_REVIEW_FIRST: Final = VersionContent(
    messages=_messages(
        "You read customer reviews.", "Is this review positive, negative or neutral?\n\n{{ review }}"
    ),
    variables=(_text("review"),),
    model=SANDBOX_MODEL,
    parameters={"temperature": 0},
)
_REVIEW_SECOND: Final = VersionContent(
    messages=_messages(
        "You read customer reviews for a shop. Judge the purchase as a whole: one small complaint in a happy "
        "review does not make it negative. A review that only states facts is neutral. "
        "Give the sentiment, the product issue if there is one, and one recommendation.",
        "{{ review }}",
    ),
    variables=(_text("review"),),
    model=SANDBOX_MODEL,
    parameters={"temperature": 0, "max_tokens": 300},
    output_schema=_REVIEW_SCHEMA,
)
_SUMMARY: Final = VersionContent(
    messages=_messages(
        "You summarize texts faithfully and add nothing.",
        "Summarize in at most {{ sentences }} sentences:\n\n{{ text }}",
    ),
    variables=(_text("text"), {"name": "sentences", "type": "number", "required": False, "default": 2}),
    model="sandbox/fast",
    parameters={"temperature": 0, "max_tokens": 200},
)

STARTER_PROMPTS: Final = (
    StarterPrompt(
        REVIEW_SENTIMENT,
        "chat",
        "Sentiment, product issue and a recommendation for one customer review.",
        (("First try", _REVIEW_FIRST), ("Answer as JSON, judge the whole purchase", _REVIEW_SECOND)),
    ),
    StarterPrompt(
        SUPPORT_REPLY.name,
        "chat",
        SUPPORT_REPLY.description,
        (("First version", SUPPORT_REPLY.content),),
    ),
    StarterPrompt("text/summary", "chat", "A faithful summary of any text.", (("First version", _SUMMARY),)),
)

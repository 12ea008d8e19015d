"""Eight prompts to start from, each with sample values and test rows."""

from typing import Final

from apps.core.errors import NotFound
from apps.dashboard.gallery.code_review import CODE_REVIEW
from apps.dashboard.gallery.content_generation import CONTENT_GENERATION
from apps.dashboard.gallery.example import SANDBOX_MODEL, Example, TestRow
from apps.dashboard.gallery.market_analysis import MARKET_ANALYSIS
from apps.dashboard.gallery.moderation import MODERATION
from apps.dashboard.gallery.recommendation import RECOMMENDATION
from apps.dashboard.gallery.report import REPORT
from apps.dashboard.gallery.support_reply import SUPPORT_REPLY
from apps.dashboard.gallery.tutor import TUTOR

EXAMPLES: Final = (
    SUPPORT_REPLY,
    CONTENT_GENERATION,
    RECOMMENDATION,
    REPORT,
    TUTOR,
    CODE_REVIEW,
    MODERATION,
    MARKET_ANALYSIS,
)

__all__ = ["EXAMPLES", "SANDBOX_MODEL", "SUPPORT_REPLY", "Example", "TestRow", "find_example"]


def find_example(key: str) -> Example:
    """An example by its key. Raises NotFound."""
    found = next((example for example in EXAMPLES if example.key == key), None)
    if found is None:
        raise NotFound("The gallery has no such example.", code="example_not_found", param="name")
    return found

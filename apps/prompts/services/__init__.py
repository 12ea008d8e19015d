"""Writes of prompts, by topic. Call inside the organization's scope.

Every writer locks the prompt's row first, so version numbers have no gaps and a label's history is one line.
"""

from apps.prompts.services.drafts import discard_draft, save_draft
from apps.prompts.services.labels import (
    ANY,
    Expected,
    ExpectedNumber,
    move_label,
    remove_label,
    rollback_label,
)
from apps.prompts.services.versions import create_prompt, publish_version

__all__ = [
    "ANY",
    "Expected",
    "ExpectedNumber",
    "create_prompt",
    "discard_draft",
    "move_label",
    "publish_version",
    "remove_label",
    "rollback_label",
    "save_draft",
]

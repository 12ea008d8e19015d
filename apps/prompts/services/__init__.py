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
from apps.prompts.services.properties import (
    archive_prompt,
    archive_prompts,
    describe_prompt,
    move_prompts,
    rename_prompt,
    restore_prompt,
    restore_prompts,
    set_tags,
    tag_prompts,
)
from apps.prompts.services.serving import change_serving
from apps.prompts.services.sharing import share_prompt, unshare_prompt
from apps.prompts.services.versions import create_prompt, publish_version, restore_message, restore_version

__all__ = [
    "ANY",
    "Expected",
    "ExpectedNumber",
    "archive_prompt",
    "archive_prompts",
    "change_serving",
    "create_prompt",
    "describe_prompt",
    "discard_draft",
    "move_label",
    "move_prompts",
    "publish_version",
    "remove_label",
    "rename_prompt",
    "restore_message",
    "restore_prompt",
    "restore_prompts",
    "restore_version",
    "rollback_label",
    "save_draft",
    "set_tags",
    "share_prompt",
    "tag_prompts",
    "unshare_prompt",
]

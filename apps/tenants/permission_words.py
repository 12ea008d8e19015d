"""Every permission in plain words, in groups, for the pages that explain or choose them."""

from dataclasses import dataclass
from typing import Final

from apps.tenants.roles import Permission


@dataclass(frozen=True, slots=True)
class Words:
    """A permission and what it lets somebody do; `subject` is what it is about."""

    permission: Permission
    subject: str
    text: str


WORDS: Final = (
    Words(Permission.PROMPTS_VIEW, "Prompts", "See prompts, versions and labels"),
    Words(Permission.PROMPTS_EDIT, "Prompts", "Write prompts and save versions"),
    Words(Permission.PROMPTS_RELEASE, "Prompts", "Move labels such as production"),
    Words(Permission.DATASETS_VIEW, "Datasets", "See datasets"),
    Words(Permission.DATASETS_EDIT, "Datasets", "Upload and change datasets"),
    Words(Permission.RUNS_VIEW, "Runs", "See runs with their content, analytics and alerts"),
    Words(Permission.RUNS_CREATE, "Runs", "Run prompts"),
    Words(Permission.ALERTS_MANAGE, "Runs", "Make, mute and acknowledge alerts"),
    Words(Permission.BATCHES_VIEW, "Batches", "See batches and their results"),
    Words(Permission.BATCHES_RUN, "Batches", "Start and stop batches"),
    Words(Permission.PROVIDERS_VIEW, "Providers and keys", "See provider connections, never their secrets"),
    Words(Permission.PROVIDERS_MANAGE, "Providers and keys", "Connect providers"),
    Words(Permission.KEYS_VIEW, "Providers and keys", "See API keys, never their secrets"),
    Words(Permission.KEYS_MANAGE, "Providers and keys", "Make and revoke API keys"),
    Words(Permission.MEMBERS_VIEW, "Organization", "See members and roles"),
    Words(Permission.MEMBERS_MANAGE, "Organization", "Invite and remove people, give roles, share"),
    Words(Permission.ORGANIZATION_MANAGE, "Organization", "Change settings, make projects"),
    Words(Permission.AUDIT_VIEW, "Organization", "Read the audit log"),
    Words(Permission.USAGE_VIEW, "Organization", "See usage and costs"),
    Words(Permission.PRIVACY_MANAGE, "Organization", "Set retention, erase people's data, export everything"),
    Words(Permission.ORGANIZATION_DELETE, "Organization", "Delete the organization"),
    Words(Permission.BILLING_MANAGE, "Organization", "Manage plan and payment"),
)

BY_PERMISSION: Final = {words.permission: words for words in WORDS}
SUBJECTS: Final = tuple(dict.fromkeys(words.subject for words in WORDS))


def in_words(permission: str) -> str:
    """What a permission lets somebody do, to stand inside a sentence."""
    text = BY_PERMISSION[Permission(permission)].text
    return text[0].lower() + text[1:]

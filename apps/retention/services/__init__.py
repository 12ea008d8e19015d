"""Writes of retention, by topic."""

from apps.retention.services.content import set_content_storing
from apps.retention.services.exporting import delete_export, note_download, request_export
from apps.retention.services.holds import place_hold, release_hold
from apps.retention.services.policies import clear_policy, set_policy
from apps.retention.services.purging import begin_nights, work
from apps.retention.services.requesting import request_purge

__all__ = [
    "begin_nights",
    "clear_policy",
    "delete_export",
    "note_download",
    "place_hold",
    "release_hold",
    "request_export",
    "request_purge",
    "set_content_storing",
    "set_policy",
    "work",
]

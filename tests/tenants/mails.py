"""What mails say: the link of the last invitation."""

import re

from django.core import mail


def latest_token() -> str:
    """The token in the newest mail's link."""
    found = re.search(r"/invitations/([^/\s]+)/", str(mail.outbox[-1].body))
    assert found is not None
    return found[1]

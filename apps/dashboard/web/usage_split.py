"""The part of the usage page that needs to know runs."""

from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from django.http import HttpRequest, HttpResponse

from apps.billing.plans import period_end, period_start
from apps.core.errors import InvalidRequest
from apps.dashboard.usage_split import split
from apps.tenants.roles import Permission
from apps.tenants.web.base import OrganizationView

WORDS: Final = (("prompt", "prompt"), ("key", "API key"), ("model", "model"))


class UsageSplitView(OrganizationView):
    """Runs, tokens and costs of a month by prompt, key or model."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        month = _month(request.GET.get("month", ""))
        offered = {
            "prompt": Permission.PROMPTS_VIEW,
            "key": Permission.KEYS_VIEW,
            "model": Permission.RUNS_VIEW,
        }
        allowed = [(key, words) for key, words in WORDS if self.access.can(offered[key])]
        by = request.GET.get("by", allowed[0][0])
        if by not in dict(allowed):
            raise InvalidRequest("Usage can't be split by that.", param="by")
        lines = split(by, period_start(month), period_end(month))
        context: dict[str, Any] = {
            "lines": lines,
            "head": dict(allowed)[by],
            "month": f"{month:%Y-%m}",
            "choices": [{"key": key, "words": words, "current": key == by} for key, words in allowed],
        }
        return self.render("dashboard/usage_split.html", context)


def _month(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC) if text else datetime.now(UTC)
    except ValueError as error:
        raise InvalidRequest("A month is written as 2026-11.", param="month") from error

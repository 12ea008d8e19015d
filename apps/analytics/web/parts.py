"""Figures for pages of rooms below: fragments that those name by address and never wait for."""

from typing import ClassVar, Final
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from apps.analytics import periods, queries
from apps.analytics.efficiency import FORMULA
from apps.analytics.queries import Figures
from apps.analytics.web.figures import cost_per_request_words, cost_words, unknown_words, words
from apps.core import ids
from apps.core.charts import spark
from apps.core.errors import InvalidRequest
from apps.prompts import grants
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.queries import find_prompt
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView

MOST_PROMPTS: Final = 100
SPARK_DAYS: Final = 14
LABEL_HOURS: Final = 24
VERSION_RANGE: Final = "90d"


class PromptsPart(ProjectView):
    """What each prompt of a list did in the last seven days, to be put into its row."""

    permissions: ClassVar[dict[str, str]] = {"GET": Permission.RUNS_VIEW}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        """Answer with the cells of each prompt named by `prompt`, for each column that the page shows.

        Raises InvalidRequest.
        """
        asked = request.GET.getlist("prompt")
        if len(asked) > MOST_PROMPTS:
            raise InvalidRequest(f"prompt is given at most {MOST_PROMPTS} times.", param="prompt")
        wanted = {found for text in asked if (found := ids.decode_or_none(Prompt.PREFIX, text)) is not None}
        visible = grants.visible_prompts(self.access, Prompt.objects.filter(project=self.project))
        prompt_ids: list[UUID] = list(visible.filter(pk__in=wanted).values_list("pk", flat=True))
        now = timezone.now()
        week = queries.week_of_prompts(self.project.id, prompt_ids, now) if prompt_ids else {}
        rows = [
            {"prompt": ids.encode(Prompt.PREFIX, prompt_id), **_facts(week.get(prompt_id, Figures()))}
            for prompt_id in prompt_ids
        ]
        shows = dict.fromkeys(request.GET.getlist("column"), True)
        return self.render("analytics/parts.html#prompts", {"rows": rows, "shows": shows})


class PromptPart(ProjectView):
    """A prompt's calls of the last two weeks as a line, and those of a day beside each label."""

    permissions: ClassVar[dict[str, str]] = {"GET": Permission.RUNS_VIEW}

    def get(self, request: HttpRequest, *, prompt: str, **_: str) -> HttpResponse:
        """Answer with the panel. Raises NotFound."""
        found = find_prompt(self.project, prompt)
        now = timezone.now()
        days = queries.sparklines(self.project.id, [found.pk], now, days=SPARK_DAYS)[found.pk]
        week = queries.week_of_prompts(self.project.id, [found.pk], now)[found.pk]
        labels = queries.label_calls(self.project.id, found.pk, now, hours=LABEL_HOURS)
        query = urlencode({"prompt": found.public_id, "group_by": "version", "range": "7d"})
        context = {
            "prompt": found,
            "days": SPARK_DAYS,
            "hours": LABEL_HOURS,
            "calls": sum(days),
            "spark": spark(days) if any(days) else None,
            "week": _facts(week),
            "labels": [
                {"name": label.name, **_facts(labels.get(label.name, Figures()))}
                for label in found.labels.order_by("name")
            ],
            "page": f"{self.address('analytics:overview')}?{query}",
        }
        return self.render("analytics/parts.html#prompt", context)


class HistoryPart(ProjectView):
    """What each version of a prompt did, to be put beside it in the history."""

    permissions: ClassVar[dict[str, str]] = {"GET": Permission.RUNS_VIEW}

    def get(self, request: HttpRequest, *, prompt: str, **_: str) -> HttpResponse:
        """Answer with a line for each version named by `version` that was called. Raises NotFound."""
        shown = set(request.GET.getlist("version"))
        found = find_prompt(self.project, prompt)
        period = periods.preset(VERSION_RANGE, timezone.now())
        rows = [
            {
                "version": ids.encode(PromptVersion.PREFIX, row.version_id),
                "score": row.efficiency,
                **_facts(row.figures),
            }
            for row in queries.versions(self.project.id, found.pk, period)
            if row.figures.requests and ids.encode(PromptVersion.PREFIX, row.version_id) in shown
        ]
        context = {"rows": rows, "prompt": found, "formula": FORMULA, "range": VERSION_RANGE}
        return self.render("analytics/parts.html#versions", context)


def _facts(figures: Figures) -> dict[str, object]:
    return {
        "calls": figures.requests,
        "cost": cost_words(figures),
        "cost_per_call": cost_per_request_words(figures),
        "unknown": unknown_words(figures.sums.unknown_price),
        "error_rate": figures["error_rate"],
        "satisfaction": words("satisfaction", figures),
        "ratings": figures.sums.feedback_count,
    }

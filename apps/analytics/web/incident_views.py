"""Pages of incidents: the list, one incident, and by which rule they are found."""

from typing import Any, ClassVar, Final

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect
from django.utils import timezone

from apps.analytics.degradation.measured import FALSE_ALARMS, POWER_WORDS
from apps.analytics.degradation.metrics import BY_KEY
from apps.analytics.degradation.rules import SIMPLE_ERRORS_UP
from apps.analytics.incidents import queries, services, words
from apps.analytics.incidents.models import DegradationRule, Incident
from apps.analytics.web.incident_charts import chart_of
from apps.analytics.web.incident_listing import DELETED, INCIDENTS, rows_of
from apps.analytics.web.incident_parts import parts_of
from apps.analytics.web.tabs import analytics_tabs
from apps.core import ids
from apps.core.charts import draw
from apps.core.errors import Conflict
from apps.core.tables import Action, Asked
from apps.tenants.models import Project
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView

MOST_BESIDE: Final = 8
NAMED: Final = 8
RULES: Final = {
    DegradationRule.STATISTICAL: (
        "The last 10, 15, 30 and 60 minutes of each version are compared with its own last 24 hours,"
        " corrected for the time of day, and with the same hours of the past week. An incident opens only"
        " when both say that chance and the version's own ups and downs don't explain the change. Watched"
        " are error rate, latency, cost per call, schema failures and feedback."
    ),
    DegradationRule.SIMPLE: (
        "An incident opens when the last hour's error rate is at least"
        f" {SIMPLE_ERRORS_UP * 100:.0f} percentage points above that of the 24 hours before, or its latency"
        " at least 10 % above, from 20 calls on. It is easy to foresee, but it misses an error rate that"
        " doubles from 4 %, and takes the slower hours of a day for trouble."
    ),
    DegradationRule.OFF: "No version is watched. Incidents that are open now close.",
}


class IncidentsPage(ProjectView, abstract=True):
    """What the pages of incidents share."""

    @property
    def may_manage(self) -> bool:
        """Whether the reader may acknowledge, and choose the rule."""
        return self.access.can(Permission.ALERTS_MANAGE)

    def found(self, public_id: str) -> Incident:
        """The incident that the address names. Raises NotFound."""
        return queries.get_incident(self.project, public_id)

    def tabs(self) -> list[dict[str, Any]]:
        """The tabs of analytics."""
        return analytics_tabs(self, "incidents")


class IncidentListView(IncidentsPage):
    """The project's incidents, newest first."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    def get(self, request: HttpRequest, **_: str) -> HttpResponseBase:
        asked = INCIDENTS.read(request.GET)
        action = Action("Acknowledge", "check", self.address("analytics:incidents-acknowledge"))
        context = {
            "actions": [action] if self.may_manage else [],
            "tabs": self.tabs(),
            "rule": queries.rule_of(self.project),
            "may_manage": self.may_manage,
        }
        return self.list_page(
            INCIDENTS, asked, listed(self.project, asked), "analytics/incidents.html", context
        )


class IncidentView(IncidentsPage):
    """One incident: what was seen, what the metric did, what changed beside it."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    def get(self, request: HttpRequest, incident: str, **_: str) -> HttpResponse:
        found = self.found(incident)
        beside = list(queries.beside(found)[: MOST_BESIDE + 1])
        [row, *others] = rows_of([found, *beside[:MOST_BESIDE]])
        drawing = draw(chart_of(found, timezone.now()), key="metric")
        if request.GET.get("export") == "csv":
            headers = {"Content-Disposition": f'attachment; filename="{found.public_id}.csv"'}
            return HttpResponse(
                drawing.figures.csv(), content_type="text/csv; charset=utf-8", headers=headers
            )
        context = {
            "tabs": self.tabs(),
            "parts": parts_of(found, timezone.now()),
            "row": row,
            "incident": found,
            "chart": drawing,
            "found_words": words.found_words(found),
            "chance_words": words.chance_words(found),
            "end_words": words.end_words(found),
            "facts": [self._linked(found, row.prompt, each) for each in words.facts(found)],
            "others": others,
            "more_others": len(beside) > MOST_BESIDE,
            "prompt_address": self._prompt(found, row.prompt),
            "runs_address": self._runs(found),
            "may_manage": self.may_manage,
        }
        return self.render("analytics/incident.html", context)

    def _prompt(self, incident: Incident, name: str) -> str:
        if name == DELETED:
            return ""
        return self.address(
            "prompts:version", ids.encode("prm", incident.prompt_id), str(incident.version_number)
        )

    def _runs(self, incident: Incident) -> str:
        failed = "&status=failed" if incident.metric in ("error_rate", "schema_failures") else ""
        prompt = ids.encode("prm", incident.prompt_id)
        return f"{self.address('runs:list')}?prompt={prompt}&version={incident.version_number}{failed}"

    def _linked(self, incident: Incident, name: str, fact: words.Fact) -> dict[str, Any]:
        return {"fact": fact, "href": self._href(incident, name, fact)}

    def _href(self, incident: Incident, name: str, fact: words.Fact) -> str:
        prompt = ids.encode("prm", incident.prompt_id)
        if fact.kind in ("version", "label") and name != DELETED:
            return self.address("prompts:history" if fact.kind == "version" else "prompts:labels", prompt)
        if fact.kind in ("connection", "default_model") and self.access.can(Permission.PROVIDERS_VIEW):
            return self.address("providers:list")
        if fact.kind == "price" and self.access.can(Permission.PROVIDERS_VIEW):
            return self.address("providers:prices")
        return ""


class AcknowledgeIncidentView(IncidentsPage):
    """Say that somebody looks after it."""

    permissions: ClassVar = {"POST": Permission.ALERTS_MANAGE}

    def post(self, request: HttpRequest, incident: str, **_: str) -> HttpResponseRedirect:
        found = self.found(incident)
        try:
            services.acknowledge_incident(actor=self.access.actor, incident=found)
            messages.info(request, "Acknowledged. The incident closes by itself.")
        except Conflict as problem:
            messages.error(request, problem.message)
        return redirect(self.address("analytics:incident", found.public_id))


class AcknowledgeChosenIncidentsView(IncidentsPage):
    """Ask about the incidents that were chosen in the list, then acknowledge those that are open."""

    permissions: ClassVar = {"GET": Permission.ALERTS_MANAGE, "POST": Permission.ALERTS_MANAGE}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        return self._page(request.GET)

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        asked, chosen = self._chosen(request.POST)
        incidents = list(chosen.order_by("pk"))
        try:
            asked.check_matching(len(incidents))
        except Conflict as problem:
            return self._page(request.POST, error=problem.message, status=409)
        done = services.acknowledge_open(actor=self.access.actor, incidents=incidents)
        messages.info(request, f"{_counted(done)} acknowledged.")
        return redirect(f"{self.address('analytics:incidents')}{asked.address()}")

    def _chosen(self, data: QueryDict) -> tuple[Asked, QuerySet[Incident]]:
        asked = INCIDENTS.read(data)
        waiting = listed(self.project, asked).filter(closed_at__isnull=True, acknowledged_at__isnull=True)
        return asked, asked.selected(waiting)

    def _page(self, data: QueryDict, *, error: str = "", status: int = 200) -> HttpResponse:
        asked, chosen = self._chosen(data)
        count = chosen.count()
        context = {
            "tabs": self.tabs(),
            "asked": asked,
            "count": count,
            "title": f"Acknowledge {_counted(count)}",
            "rows": rows_of(list(chosen.order_by("-opened_at")[:NAMED])),
            "unnamed": max(count - NAMED, 0),
            "back": f"{self.address('analytics:incidents')}{asked.address()}",
            "error": error,
        }
        return self.render("analytics/incidents_chosen.html", context, status=status)


class IncidentRuleView(IncidentsPage):
    """By which rule incidents are found."""

    permissions: ClassVar = {"GET": Permission.ALERTS_MANAGE, "POST": Permission.ALERTS_MANAGE}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        return self._page(queries.rule_of(self.project))

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        chosen = request.POST.get("rule", "")
        if chosen not in DegradationRule.values:
            error = "Choose one of the three."
            return self._page(queries.rule_of(self.project), error=error, status=422)
        changed = services.choose_rule(
            actor=self.access.actor, project=self.project, rule=DegradationRule(chosen)
        )
        if changed:
            messages.info(request, "The rule is changed. It holds from the next look on.")
        return redirect(self.address("analytics:incidents"))

    def _page(self, current: DegradationRule, *, error: str = "", status: int = 200) -> HttpResponse:
        context = {
            "tabs": self.tabs(),
            "error": error,
            "measured": [
                {"name": BY_KEY[key].name, "statistical": _alarms(by_test), "simple": _alarms(by_rule)}
                for key, (by_test, by_rule) in FALSE_ALARMS.items()
            ],
            "power_words": POWER_WORDS,
            "choices": [
                {"value": rule.value, "label": rule.label, "text": text, "current": rule == current}
                for rule, text in RULES.items()
            ],
            "open_now": queries.open_incidents(self.project.id).count(),
        }
        return self.render("analytics/incident_rule.html", context, status=status)


def listed(project: Project, asked: Asked) -> QuerySet[Incident]:
    """The incidents that a list's address asks for."""
    given = asked.filters
    return queries.list_incidents(project, search=asked.search, state=given["state"], metric=given["metric"])


def _counted(count: int) -> str:
    return f"{count:,} incident{'' if count == 1 else 's'}"


def _alarms(measured: float | None) -> str:
    if measured is None:
        return ""
    if not measured:
        return "none seen"
    return f"{measured:.1f}" if measured < 10 else f"{measured:.0f}"

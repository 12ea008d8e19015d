"""Pages of alert rules: list, form with what it would have done, and the page of one rule."""

from typing import Any, ClassVar, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone

from apps.analytics import queries as figures
from apps.analytics.alerts import queries, recipients, services, words
from apps.analytics.alerts.models import AlertKind, AlertRule, AlertState
from apps.analytics.alerts.replaying import would_have_fired
from apps.analytics.alerts.spec import RuleSpec, checked, spec_of
from apps.analytics.web.alert_charts import chart_of
from apps.analytics.web.alert_forms import AlertRuleForm
from apps.analytics.web.alert_listing import ALERTS, AlertRow
from apps.analytics.web.tabs import analytics_tabs
from apps.core import ids, rate_limits
from apps.core.charts import draw
from apps.core.errors import Conflict, InvalidRequest
from apps.core.tables import Action
from apps.tenants import people
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView

EVENTS_SHOWN: Final = 20
MOMENTS_SHOWN: Final = 10
TRIES_PER_MINUTE: Final = 60
# What can be done with the chosen rules: verb of the address, words, symbol.
CHOSEN: Final = (
    ("acknowledge", "Acknowledge", "check"),
    ("mute", "Mute", "bell"),
    ("enable", "Turn on", "play"),
    ("disable", "Turn off", "stop"),
    ("delete", "Delete", "trash"),
)
# What a new rule begins with, so that its past week shows at once.
USUAL: Final = {"metric": "error_rate", "value": "5", "compared_with": "day"}
PREFILLED: Final = ("metric", "prompt", "label", "model")
KINDS: Final = {
    AlertKind.THRESHOLD: "A figure goes above or below a value.",
    AlertKind.CHANGE: "A figure rises or falls against an earlier time of the same length.",
    AlertKind.NO_DATA: "Nobody calls any more.",
    AlertKind.DEGRADATION: "A version gets worse than it used to be: an incident opens.",
    AlertKind.QUOTA: "The month's quota of the plan runs out.",
}


class AlertsPage(ProjectView, abstract=True):
    """What the pages of alert rules share."""

    @property
    def may_manage(self) -> bool:
        """Whether the reader may change rules."""
        return self.access.can(Permission.ALERTS_MANAGE)

    @property
    def sees_quotas(self) -> bool:
        """Whether the reader may see what rules on the quota tell of the whole organization."""
        return self.access.can(Permission.USAGE_VIEW)

    def found(self, public_id: str) -> AlertRule:
        """The rule that the address names. Raises NotFound."""
        return queries.get_rule(self.project, public_id, quotas=self.sees_quotas)

    def tabs(self) -> list[dict[str, Any]]:
        """The tabs of analytics."""
        return analytics_tabs(self, "alerts")

    def tried(self, spec: RuleSpec) -> dict[str, Any]:
        """What a rule would have done last week, for `analytics/alert_tried.html`."""
        now = timezone.now()
        found = would_have_fired(self.project, spec, now)
        chart = chart_of(self.project, spec, found, now)
        scope = spec.scope
        names = queries.names_of([scope.prompt_id], [scope.api_key_id])
        return {
            "tried": found,
            "spec": spec,
            "spec_words": words.rule_words(spec),
            "spec_scope": words.scope_words(spec, names),
            "chart": draw(chart, key="tried") if chart else None,
            "moments": list(reversed(found.replay.moments[-MOMENTS_SHOWN:])),
            "more_moments": max(0, len(found.replay.moments) - MOMENTS_SHOWN),
            "largest": words.value_words(spec, found.largest),
            "smallest": words.value_words(spec, found.smallest),
        }


class AlertListView(AlertsPage):
    """The project's alert rules."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    def get(self, request: HttpRequest, **_: str) -> HttpResponseBase:
        asked = ALERTS.read(request.GET)
        chosen = asked.filters
        found = queries.list_rules(
            self.project,
            quotas=self.sees_quotas,
            search=asked.search,
            state=chosen["state"],
            kind=chosen["kind"],
            told=chosen["told"],
        )
        actions = [
            Action(label, icon, self.address(f"analytics:alerts-{verb}"), danger=verb == "delete")
            for verb, label, icon in CHOSEN
        ]
        context = {
            "tabs": self.tabs(),
            "may_manage": self.may_manage,
            "actions": actions if self.may_manage else [],
        }
        return self.list_page(ALERTS, asked, found, "analytics/alerts.html", context)


class AlertFormPage(AlertsPage, abstract=True):
    """A form with the rule's past week beside it; without script a button shows it."""

    def form(self, kind: AlertKind, rule: AlertRule | None = None, **named: Any) -> AlertRuleForm:
        """The form of a kind. Raises PermissionDenied for who may not see what it watches."""
        self.access.require(recipients.permission_for(kind))
        members = recipients.offered(self.project, kind)
        data = self.request.POST if self.request.method == "POST" else None
        return AlertRuleForm(data, kind=kind, project=self.project, members=members, rule=rule, **named)

    def form_page(
        self, form: AlertRuleForm, rule: AlertRule | None = None, *, tried: Any = None, status: int = 200
    ) -> HttpResponse:
        """The page of a form."""
        context = {
            "tabs": self.tabs(),
            "form": form,
            "rule": rule,
            "kind": form.kind,
            "kind_words": KINDS[form.kind],
            "kinds": self._kinds(form.kind),
            "groups": form.groups(),
            **(tried or {}),
        }
        return self.render("analytics/alert_form.html", context, status=status)

    def spec_in(self, form: AlertRuleForm) -> RuleSpec | None:
        """What the form asks; None where it can't be, which the form then says."""
        if not form.is_valid():
            return None
        try:
            return checked(form.spec())
        except InvalidRequest as problem:
            form.add_problem(problem)
            return None

    def _kinds(self, current: str) -> list[dict[str, Any]]:
        base = self.address("analytics:alert-new")
        return [
            {
                "label": kind.label,
                "href": f"{base}?kind={kind.value}",
                "current": kind == current,
            }
            for kind in AlertKind
        ]


class NewAlertView(AlertFormPage):
    """Add a rule."""

    permissions: ClassVar = {"GET": Permission.ALERTS_MANAGE, "POST": Permission.ALERTS_MANAGE}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        me = people.member_by_user(self.user.id)
        sandbox = figures.has_only_sandbox(self.project.id)
        initial: dict[str, Any] = {"recipients": [me.public_id] if me else [], "sandbox": sandbox, **USUAL}
        given = {name: request.GET[name] for name in PREFILLED if name in request.GET}
        if "metric" in given:
            # The usual value is one of the usual metric.
            initial["value"] = ""
        return self.form_page(self.form(kind_of(request.GET.get("kind", "")), initial=initial | given))

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        form = self.form(kind_of(request.POST.get("kind", "")))
        spec = self.spec_in(form)
        if spec is None:
            return self.form_page(form, status=422)
        if request.POST.get("action") == "try":
            return self.form_page(form, tried=self.tried(spec))
        try:
            rule = services.create_rule(
                actor=self.access.actor,
                project=self.project,
                name=form.cleaned_data["name"],
                spec=spec,
                member_ids=form.member_ids(),
            )
        except (InvalidRequest, Conflict) as problem:
            form.add_problem(problem)
            return self.form_page(form, status=422)
        messages.info(request, f"{rule.name} is on. It is looked at within two minutes.")
        return redirect(self.address("analytics:alert", rule.public_id))


class EditAlertView(AlertFormPage):
    """Change a rule; its kind stays."""

    permissions: ClassVar = {"GET": Permission.ALERTS_MANAGE, "POST": Permission.ALERTS_MANAGE}

    def get(self, request: HttpRequest, alert: str, **_: str) -> HttpResponse:
        rule = self.found(alert)
        return self.form_page(self.form(AlertKind(rule.kind), rule), rule)

    def post(self, request: HttpRequest, alert: str, **_: str) -> HttpResponse:
        rule = self.found(alert)
        form = self.form(AlertKind(rule.kind), rule)
        spec = self.spec_in(form)
        if spec is None:
            return self.form_page(form, rule, status=422)
        if request.POST.get("action") == "try":
            return self.form_page(form, rule, tried=self.tried(spec))
        try:
            services.update_rule(
                actor=self.access.actor,
                rule=rule,
                name=form.cleaned_data["name"],
                spec=spec,
                member_ids=form.member_ids(),
            )
        except (InvalidRequest, Conflict) as problem:
            form.add_problem(problem)
            return self.form_page(form, rule, status=422)
        messages.info(request, f"{form.cleaned_data['name']} is saved.")
        return redirect(self.address("analytics:alert", rule.public_id))


class AlertPreviewView(AlertFormPage):
    """The past week alone, for a form that is being filled in."""

    permissions: ClassVar = {"POST": Permission.ALERTS_MANAGE}

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        rate_limits.check("alert_preview", str(self.user.id), TRIES_PER_MINUTE, 60).enforce()
        form = self.form(kind_of(request.POST.get("kind", "")))
        # A rule can be tried before it has a name.
        form.fields["name"].required = False
        spec = self.spec_in(form)
        context = self.tried(spec) if spec else {"problem": _first_problem(form)}
        return self.render("analytics/alert_tried.html", context)


class AlertView(AlertsPage):
    """One rule: what it says, what it saw, its history."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    def get(self, request: HttpRequest, alert: str, **_: str) -> HttpResponse:
        return self.rule_page(self.found(alert))

    def rule_page(self, rule: AlertRule, **more: Any) -> HttpResponse:
        """The page, with whatever a dialog needs."""
        spec = spec_of(rule)
        me = people.member_by_user(self.user.id)
        told = recipients.reachable(rule)
        row = AlertRow(rule, spec, words.scope_words(spec, queries.names_for([rule])), timezone.now())
        before = ids.decode_or_none("ale", self.request.GET.get("before", ""))
        events = queries.history(rule)
        shown = list((events.filter(pk__lt=before) if before else events)[: EVENTS_SHOWN + 1])
        context = {
            "tabs": self.tabs(),
            "rule": rule,
            "row": row,
            "spec": spec,
            "may_manage": self.may_manage,
            "is_told": me is not None and me.pk in rule.recipients,
            "told": told,
            "unreachable": len(rule.recipients) - len(told),
            "firing": rule.enabled and rule.state in services.FIRING,
            "warn_words": words.limit_words(spec, rule.warn_value),
            "sample": words.sample_words(spec, rule.last_sample),
            "every": "hour" if spec.grain.value >= 60 else "5 minutes",
            "events": [_event(spec, each) for each in shown[:EVENTS_SHOWN]],
            "older": f"?before={shown[EVENTS_SHOWN - 1].public_id}" if len(shown) > EVENTS_SHOWN else "",
            "newer": self.request.path if before else "",
        }
        return self.render("analytics/alert.html", context | more)


class AlertChartView(AlertsPage):
    """What a rule saw in the past week, as a panel of its page: it loads, and fails, alone."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    def get(self, request: HttpRequest, alert: str, **_: str) -> HttpResponse:
        rule = self.found(alert)
        context = self.tried(spec_of(rule))
        if request.GET.get("export") == "csv" and context["chart"]:
            headers = {"Content-Disposition": f'attachment; filename="{self.project.slug}-alert-{alert}.csv"'}
            body = context["chart"].figures.csv()
            return HttpResponse(body, content_type="text/csv; charset=utf-8", headers=headers)
        csv = f"{request.path}?export=csv"
        return self.render("analytics/alert_panel.html", context | {"rule": rule, "csv": csv})


def kind_of(text: str) -> AlertKind:
    """The kind that an address names; the usual one for any other."""
    return AlertKind(text) if text in set(AlertKind) else AlertKind.THRESHOLD


def _first_problem(form: AlertRuleForm) -> str:
    for name, problems in form.errors.items():
        head = form.fields[name].label or name.capitalize() if name in form.fields else ""
        return f"{head}: {problems[0]}" if head else str(problems[0])
    return ""


def _event(spec: RuleSpec, event: Any) -> dict[str, Any]:
    """A line of the history: the badge that it ended with, and what was measured."""
    state = AlertState(event.to_state)
    return {
        "event": event,
        "badge": words.BADGES[state][0],
        "state": words.BADGES[state][1],
        "before": words.BADGES[AlertState(event.from_state)][1],
        "value": words.value_words(spec, event.value),
        "sample": words.sample_words(spec, event.sample),
    }

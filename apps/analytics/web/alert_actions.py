"""What can be done with a rule, or with all that were chosen in the list."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from apps.analytics.alerts import queries, services
from apps.analytics.alerts.models import AlertRule
from apps.analytics.web.alert_listing import ALERTS
from apps.analytics.web.alert_views import AlertsPage, AlertView
from apps.core import rate_limits
from apps.core.errors import Conflict, InvalidRequest
from apps.core.tables import Asked
from apps.tenants import people
from apps.tenants.roles import Permission

NAMED: Final = 8
TESTS_PER_HOUR: Final = 10
MUTES: Final = {"1h": ("1 hour", timedelta(hours=1)), "1d": ("1 day", timedelta(days=1))}


class RuleAction(AlertsPage, abstract=True):
    """One change of one rule, then back to its page."""

    permissions: ClassVar = {"POST": Permission.ALERTS_MANAGE}

    def post(self, request: HttpRequest, alert: str, **_: str) -> HttpResponseRedirect:
        rule = self.found(alert)
        try:
            messages.info(request, self.change(rule, request.POST))
        except (Conflict, InvalidRequest) as problem:
            messages.error(request, problem.message)
        return redirect(self.address("analytics:alert", rule.public_id))

    def change(self, rule: AlertRule, data: QueryDict) -> str:
        """Do it; returns what to say."""
        raise NotImplementedError


class AcknowledgeView(RuleAction):
    """No more reminders until the state changes."""

    def change(self, rule: AlertRule, data: QueryDict) -> str:
        services.acknowledge_rule(actor=self.access.actor, rule=rule)
        return "Acknowledged. No more reminders until the state changes."


class MuteView(RuleAction):
    """Send nothing for a while, or send again."""

    def change(self, rule: AlertRule, data: QueryDict) -> str:
        until = _mute_until(data)
        services.mute_rule(actor=self.access.actor, rule=rule, until=until)
        return "No longer muted." if until is None else "Muted. It is looked at all the same."


class EnableView(RuleAction):
    """Turn a rule on or off."""

    def change(self, rule: AlertRule, data: QueryDict) -> str:
        enabled = data.get("enabled") == "1"
        services.set_enabled(actor=self.access.actor, rule=rule, enabled=enabled)
        return f"{rule.name} is {'on. It begins anew' if enabled else 'off'}."


class TestMailView(RuleAction):
    """Send a test mail to everybody whom the rule tells."""

    def change(self, rule: AlertRule, data: QueryDict) -> str:
        rate_limits.check("alert_test", str(rule.id), TESTS_PER_HOUR, 3600).enforce()
        sent = services.send_test(actor=self.access.actor, rule=rule).mails
        return f"A test mail goes to {sent} member{'' if sent == 1 else 's'}."


class LeaveView(RuleAction):
    """Take oneself off a rule's recipients."""

    permissions: ClassVar = {"POST": Permission.RUNS_VIEW}

    def change(self, rule: AlertRule, data: QueryDict) -> str:
        me = people.member_by_user(self.user.id)
        left = me is not None and services.stop_telling(actor=self.access.actor, rule=rule, membership=me)
        return f"{rule.name} writes no more mails to you." if left else "You get no mails of this rule."


class DeleteAlertView(AlertView):
    """Ask over the rule's page, then delete it."""

    permissions: ClassVar = {"GET": Permission.ALERTS_MANAGE, "POST": Permission.ALERTS_MANAGE}

    def get(self, request: HttpRequest, alert: str, **_: str) -> HttpResponse:
        return self.rule_page(self.found(alert), deleting=True)

    def post(self, request: HttpRequest, alert: str, **_: str) -> HttpResponse:
        rule = self.found(alert)
        services.delete_rule(actor=self.access.actor, rule=rule)
        messages.info(request, f"{rule.name} is deleted.")
        return redirect(self.address("analytics:alerts"))


class ChosenPage(AlertsPage, abstract=True):
    """Ask about the rules that were chosen in the list, then change them together."""

    permissions: ClassVar = {"GET": Permission.ALERTS_MANAGE, "POST": Permission.ALERTS_MANAGE}
    verb: ClassVar[str]
    done: ClassVar[str]
    explained: ClassVar[str] = ""
    danger: ClassVar[bool] = False
    mutes: ClassVar[bool] = False

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        return self._page(request.GET)

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        asked, chosen = self._chosen(request.POST)
        rules = list(chosen.order_by("pk"))
        try:
            asked.check_matching(len(rules))
            change = self.change(request.POST)
            for rule in rules:
                change(rule)
        except Conflict as problem:
            return self._page(request.POST, error=problem.message, status=409)
        except InvalidRequest as problem:
            return self._page(request.POST, error=problem.message, status=422)
        messages.info(request, self.done.format(count=_counted(len(rules))))
        return redirect(f"{self.address('analytics:alerts')}{asked.address()}")

    def change(self, data: QueryDict) -> Callable[[AlertRule], object]:
        """What is done with each rule."""
        raise NotImplementedError

    def among(self, rules: QuerySet[AlertRule]) -> QuerySet[AlertRule]:
        """Those of the chosen rules that it means something for."""
        return rules

    def _chosen(self, data: QueryDict) -> tuple[Asked, QuerySet[AlertRule]]:
        asked = ALERTS.read(data)
        given = asked.filters
        found = queries.list_rules(
            self.project,
            quotas=self.sees_quotas,
            search=asked.search,
            state=given["state"],
            kind=given["kind"],
            told=given["told"],
        )
        return asked, self.among(asked.selected(found))

    def _page(self, data: QueryDict, error: str = "", status: int = 200) -> HttpResponse:
        asked, chosen = self._chosen(data)
        count = chosen.count()
        context: dict[str, Any] = {
            "asked": asked,
            "count": count,
            "title": f"{self.verb} {_counted(count)}",
            "named": list(chosen.order_by("name").values_list("name", flat=True)[:NAMED]),
            "unnamed": max(count - NAMED, 0),
            "explained": self.explained,
            "danger": self.danger,
            "mutes": [(value, words) for value, (words, _) in MUTES.items()] if self.mutes else [],
            "back": f"{self.address('analytics:alerts')}{asked.address()}",
            "error": error,
        }
        return self.render("analytics/alerts_chosen.html", context, status=status)


class AcknowledgeChosenView(ChosenPage):
    """Acknowledge those of the chosen rules that warn or alert."""

    verb = "Acknowledge"
    done = "{count} acknowledged."
    explained = (
        "Of the chosen rules only those that warn or alert now. No reminders until their state changes."
    )

    def among(self, rules: QuerySet[AlertRule]) -> QuerySet[AlertRule]:
        return rules.filter(enabled=True, state__in=services.FIRING)

    def change(self, data: QueryDict) -> Callable[[AlertRule], object]:
        return lambda rule: services.acknowledge_rule(actor=self.access.actor, rule=rule)


class MuteChosenView(ChosenPage):
    """Mute the chosen rules."""

    verb = "Mute"
    done = "{count} muted."
    explained = "They are looked at all the same. What still holds when the time is over is told then."
    mutes = True

    def change(self, data: QueryDict) -> Callable[[AlertRule], object]:
        until = _mute_until(data)
        return lambda rule: services.mute_rule(actor=self.access.actor, rule=rule, until=until)


class EnableChosenView(ChosenPage):
    """Turn the chosen rules on."""

    verb = "Turn on"
    done = "{count} turned on."
    explained = "Those that were off begin anew."

    def among(self, rules: QuerySet[AlertRule]) -> QuerySet[AlertRule]:
        return rules.filter(enabled=False)

    def change(self, data: QueryDict) -> Callable[[AlertRule], object]:
        return lambda rule: services.set_enabled(actor=self.access.actor, rule=rule, enabled=True)


class DisableChosenView(ChosenPage):
    """Turn the chosen rules off."""

    verb = "Turn off"
    done = "{count} turned off."
    explained = "Rules that are off are not looked at."

    def among(self, rules: QuerySet[AlertRule]) -> QuerySet[AlertRule]:
        return rules.filter(enabled=True)

    def change(self, data: QueryDict) -> Callable[[AlertRule], object]:
        return lambda rule: services.set_enabled(actor=self.access.actor, rule=rule, enabled=False)


class DeleteChosenView(ChosenPage):
    """Delete the chosen rules."""

    verb = "Delete"
    done = "{count} deleted."
    explained = "Their history goes with them."
    danger = True

    def change(self, data: QueryDict) -> Callable[[AlertRule], object]:
        return lambda rule: services.delete_rule(actor=self.access.actor, rule=rule)


def _mute_until(data: QueryDict) -> datetime | None:
    """The end of a mute that a form asks for, in the reader's zone; None ends one. Raises InvalidRequest."""
    length = data.get("for", "")
    if length in MUTES:
        return timezone.now() + MUTES[length][1]
    if length == "none":
        return None
    try:
        moment = parse_datetime(data.get("until", ""))
    except ValueError:
        moment = None
    if moment is None:
        raise InvalidRequest(
            "Choose how long, or enter a day and a time.", code="mute_invalid", param="until"
        )
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment


def _counted(count: int) -> str:
    return f"{count:,} rule{'' if count == 1 else 's'}"

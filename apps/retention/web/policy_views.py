"""Page 27: what is kept for how long, what would go, and deleting it now."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse

from apps.core import errors
from apps.retention import queries, rules, services
from apps.retention.models import DataClass
from apps.retention.rules import Rule, Settings
from apps.retention.web import presenting
from apps.retention.web.base import PrivacyPage
from apps.retention.web.forms import DAYS, FOLLOW, KEEP, STORING, ScopeForm, StoringForm
from apps.tenants.models import Project
from apps.tenants.roles import Permission
from apps.tenants.web.people_forms import TypedNameForm


class PolicyView(PrivacyPage):
    """Every class with its days, holds, what would go, the last purges, and what stays."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        return self.policy_page()


class DryRunPanel(PrivacyPage):
    """What would go now, counted, as a fragment: counting may take seconds."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}
    scoped: ClassVar[bool] = False

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        found = self.counted()
        with self.scope():
            context = {
                "rows": presenting.dry_run_rows(found),
                "at": found.at,
                "may_manage": self.access.can(Permission.PRIVACY_MANAGE),
            }
            return self.render("retention/dry_run.html", context)


class PurgeView(PrivacyPage):
    """Delete what is due now, after typing the organization's name."""

    permissions: ClassVar = {"GET": Permission.PRIVACY_MANAGE, "POST": Permission.PRIVACY_MANAGE}
    scoped: ClassVar[bool] = False

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        return self._dialog(TypedNameForm(expected=self.organization.name))

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        form = TypedNameForm(request.POST, expected=self.organization.name)
        if not form.is_valid():
            return self._dialog(form, status=422)
        try:
            with self.scope():
                services.request_purge(actor=self.access.actor, organization=self.organization)
        except errors.Conflict as problem:
            return self._dialog(form, problem.message, status=409)
        messages.info(request, "What is due now is being deleted. The list of purges tells how far it is.")
        return self.back()

    def _dialog(self, form: TypedNameForm, problem: str = "", status: int = 200) -> HttpResponse:
        found = self.counted()
        with self.scope():
            return self.policy_page(
                status=status,
                dialog="purge",
                typed=form,
                problem=problem,
                due=presenting.dry_run_rows(found),
            )


@dataclass(frozen=True, slots=True)
class _Scope:
    """The organization, or a project of it, with its forms."""

    project: Project | None
    form: ScopeForm
    storing: StoringForm | None


class ClassView(PrivacyPage):
    """How long one class is kept, in the organization and in each project."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW, "POST": Permission.PRIVACY_MANAGE}

    def get(self, request: HttpRequest, data_class: str, **_: str) -> HttpResponse:
        rule = _rule(data_class)
        return self._page(rule, self._scopes(rule, None))

    def post(self, request: HttpRequest, data_class: str, **_: str) -> HttpResponse:
        rule = _rule(data_class)
        scopes = self._scopes(rule, request.POST)
        valid = [form.is_valid() for scope in scopes for form in (scope.form, scope.storing) if form]
        if not all(valid):
            return self._page(rule, scopes, status=422)
        for scope in scopes:
            try:
                self._save(rule, scope)
            except errors.InvalidRequest as problem:
                scope.form.add_error("days", problem.message)
                return self._page(rule, scopes, status=422)
        messages.info(request, f"{rule.data_class.label}: saved. Deleting follows it from now on.")
        return self.back()

    def _save(self, rule: Rule, scope: _Scope) -> None:
        common: dict[str, Any] = {
            "actor": self.access.actor,
            "organization": self.organization,
            "project": scope.project,
        }
        chosen = scope.form.cleaned_data
        if chosen["keep"] == FOLLOW:
            services.clear_policy(**common, data_class=rule.data_class)
        else:
            days = chosen["days"] if chosen["keep"] == DAYS else None
            services.set_policy(**common, data_class=rule.data_class, days=days)
        if scope.storing is not None:
            services.set_content_storing(**common, stores=scope.storing.stored)

    def _scopes(self, rule: Rule, data: Any) -> list[_Scope]:
        settings = queries.load_settings(self.organization.pk)
        every: list[Project | None] = [None]
        if rule.per_project:
            every += self.all_projects()
        return [self._scope(rule, settings, project, data) for project in every]

    def _scope(self, rule: Rule, settings: Settings, project: Project | None, data: Any) -> _Scope:
        name = project.name if project else self.organization.name
        prefix = project.public_id if project else "organization"
        form = ScopeForm(
            data,
            rule=rule,
            above=presenting.above_words(settings, rule, is_project=project is not None),
            name=name,
            prefix=prefix,
            initial=_initial(settings, rule, project),
        )
        storing = None
        if rule.data_class == DataClass.RUN_PAYLOADS:
            owner = project or self.organization
            words = next(word for word, stores in STORING.items() if stores == owner.stores_content)
            storing = StoringForm(
                data, name=name, is_project=project is not None, prefix=prefix, initial={"stores": words}
            )
        return _Scope(project, form, storing)

    def _page(self, rule: Rule, scopes: Sequence[_Scope], status: int = 200) -> HttpResponse:
        settings = queries.load_settings(self.organization.pk)
        longest = settings.longest_days.get(rule.data_class)
        context = {
            "rule": rule,
            "scopes": scopes,
            "has_storing": rule.data_class == DataClass.RUN_PAYLOADS,
            "longest": presenting.kept_words(longest) if longest else "",
            "may_manage": self.access.can(Permission.PRIVACY_MANAGE),
        }
        return self.render("retention/class.html", context, status=status)


def _rule(name: str) -> Rule:
    if name not in DataClass.values:
        raise errors.NotFound("There is no such class of data.")
    return rules.BY_CLASS[DataClass(name)]


def _initial(settings: Settings, rule: Rule, project: Project | None) -> dict[str, Any]:
    given: dict[Any, int | None] = dict(settings.organization_days)
    key: Any = rule.data_class
    if project is not None:
        given, key = dict(settings.project_days), (project.pk, rule.data_class)
    if key not in given:
        return {"keep": FOLLOW}
    return {"keep": KEEP if given[key] is None else DAYS, "days": given[key]}

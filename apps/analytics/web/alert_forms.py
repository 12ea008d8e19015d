"""The form of an alert rule. Each kind has the fields that it uses; shares are written in percent."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final, cast
from uuid import UUID

from django import forms

from apps.analytics.alerts.models import AlertKind, AlertRule, ComparedWith, Comparison
from apps.analytics.alerts.queries import names_for
from apps.analytics.alerts.scoping import read_scope
from apps.analytics.alerts.services import LONGEST_NAME
from apps.analytics.alerts.spec import QUOTA_LEVELS, WINDOWS, RuleSpec, spec_of
from apps.analytics.alerts.words import window_words
from apps.analytics.metrics import METRICS
from apps.analytics.queries.choices import MOST_CHOICES, filter_choices
from apps.core import ids
from apps.core.errors import PromptsaasError
from apps.prompts.models import Prompt
from apps.tenants.models import Membership, Project

ANY: Final = ("", "Any")
NEVER: Final = ("", "Never")
RENOTIFY: Final = (1, 4, 12, 24, 72, 168)
DIMENSIONS: Final = ("prompt", "label", "model", "key", "source")
SCOPE: Final = (*DIMENSIONS, "version", "sandbox")
_MEASURED: Final = ("metric", "comparison", "value", "warn_value", "window_minutes", "minimum_sample")
USED: Final[dict[str, tuple[str, ...]]] = {
    AlertKind.THRESHOLD: (*_MEASURED, *SCOPE),
    AlertKind.CHANGE: (*_MEASURED, "compared_with", *SCOPE),
    AlertKind.NO_DATA: ("window_minutes", *SCOPE),
    AlertKind.DEGRADATION: ("prompt",),
    AlertKind.QUOTA: ("levels",),
}
ALWAYS: Final = ("name", "recipients", "renotify_hours")
_NUMBER: Final = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})


class AlertRuleForm(forms.Form):
    """A rule of one kind. `members` may be told; `scope` offers what the project's calls were made with."""

    name = forms.CharField(max_length=LONGEST_NAME, help_text="What mails and lists call it.")
    metric = forms.ChoiceField(label="Metric", choices=[(key, each.words) for key, each in METRICS.items()])
    comparison = forms.ChoiceField(label="Fires when it")
    value = forms.DecimalField(label="Alert at", max_digits=18, decimal_places=6, widget=_NUMBER)
    warn_value = forms.DecimalField(
        label="Warn at", max_digits=18, decimal_places=6, required=False, widget=_NUMBER
    )
    window_minutes = forms.TypedChoiceField(
        label="Measured over",
        coerce=int,
        choices=[(each, window_words(each)) for each in WINDOWS],
        initial=60,
        help_text="Over 5 minutes, calls that take longer than a minute can be missed.",
    )
    compared_with = forms.ChoiceField(label="Against", choices=ComparedWith.choices)
    minimum_sample = forms.IntegerField(
        label="Least number of calls",
        min_value=1,
        max_value=1_000_000_000,
        initial=20,
        help_text="With fewer the state is No data: too few calls say nothing.",
    )
    levels = forms.TypedMultipleChoiceField(
        label="Tell at",
        coerce=int,
        choices=[(level, f"{level} %") for level in QUOTA_LEVELS],
        initial=list(QUOTA_LEVELS),
        widget=forms.CheckboxSelectMultiple,
        help_text="Of the calls that the plan includes in a month. Each level is told once a month.",
    )
    prompt = forms.ChoiceField(required=False)
    version = forms.IntegerField(
        required=False, min_value=1, max_value=2_000_000_000, help_text="Its number; takes a prompt."
    )
    label = forms.ChoiceField(required=False)
    model = forms.ChoiceField(required=False)
    key = forms.ChoiceField(label="API key", required=False)
    source = forms.ChoiceField(required=False)
    sandbox = forms.BooleanField(
        label="Watch the sandbox's calls instead",
        required=False,
        help_text="They are left out of everything else.",
    )
    recipients = forms.MultipleChoiceField(
        label="Mail to", required=False, widget=forms.CheckboxSelectMultiple
    )
    renotify_hours = forms.TypedChoiceField(
        label="Remind",
        coerce=int,
        empty_value=None,
        required=False,
        choices=[NEVER, *((hours, f"Every {window_words(hours * 60)}") for hours in RENOTIFY)],
        help_text="As long as it lasts and nobody has acknowledged it.",
    )

    def __init__(
        self,
        *arguments: Any,
        kind: AlertKind,
        project: Project,
        members: Sequence[Membership],
        rule: AlertRule | None = None,
        **named: Any,
    ) -> None:
        if rule is not None:
            named["initial"] = _initial(rule) | (named.get("initial") or {})
        super().__init__(*arguments, **named)
        self.kind, self.project, self.rule = kind, project, rule
        used = {*USED[kind], *ALWAYS} - ({"renotify_hours"} if kind == AlertKind.QUOTA else set())
        for name in set(self.fields) - used:
            del self.fields[name]
        self._offer("recipients", _people(members, rule))
        if "comparison" in self.fields:
            verbs = ("is above", "is below") if kind == AlertKind.THRESHOLD else ("rises by", "falls by")
            self._offer("comparison", list(zip(Comparison.values, verbs, strict=True)))
            self._explain_values()
        self._offer_scope()

    def spec(self) -> RuleSpec:
        """What the filled-in form asks; after `is_valid`. Raises InvalidRequest for what doesn't exist."""
        given = self.cleaned_data
        scope = read_scope(
            self.project,
            **{name: given.get(name) or "" for name in DIMENSIONS},
            version=given.get("version"),
            sandbox=bool(given.get("sandbox")),
        )
        return RuleSpec(
            kind=self.kind,
            metric=given.get("metric", ""),
            scope=scope,
            comparison=Comparison(given.get("comparison") or Comparison.ABOVE),
            value=self._stored(given.get("value")),
            warn_value=self._stored(given.get("warn_value")),
            window_minutes=given.get("window_minutes") or 60,
            compared_with=given.get("compared_with", ""),
            minimum_sample=given.get("minimum_sample") or 1,
            levels=tuple(given.get("levels") or ()),
            renotify_hours=given.get("renotify_hours"),
        )

    def member_ids(self) -> list[UUID]:
        """The memberships of the chosen recipients."""
        return [ids.decode(Membership.PREFIX, each) for each in self.cleaned_data["recipients"]]

    def add_problem(self, problem: PromptsaasError) -> None:
        """Show what a service refused at the field that it names."""
        self.add_error(problem.param if problem.param in self.fields else None, problem.message)

    def groups(self) -> list[list[forms.BoundField]]:
        """What is watched, which calls, and who is told: the fields of the form's three parts."""
        parts = ([*_MEASURED[:2], "compared_with", *_MEASURED[2:], "levels"], ["prompt", "version", *SCOPE])
        return [
            [self[name] for name in dict.fromkeys(part) if name in self.fields]
            for part in (*parts, ["recipients", "renotify_hours"])
        ]

    def _stored(self, amount: Decimal | None) -> Decimal | None:
        """A value as rules keep it: shares of one, and a fall below 0."""
        if amount is None:
            return None
        given = self.cleaned_data
        if self.kind == AlertKind.CHANGE:
            return -amount if given["comparison"] == Comparison.BELOW else amount
        return amount / 100 if METRICS[given["metric"]].unit == "share" else amount

    def _offer(self, name: str, choices: Iterable[tuple[Any, str]]) -> None:
        if name in self.fields:
            cast("forms.ChoiceField", self.fields[name]).choices = list(choices)

    def _offer_scope(self) -> None:
        offered = [name for name in DIMENSIONS if name in self.fields]
        if not offered:
            return
        source = self.data if self.is_bound else self.initial
        found = filter_choices(self.project, sandbox=bool(source.get("sandbox")))
        names = names_for([self.rule]) if self.rule else None
        for name in offered:
            choices = [(each.value, each.name) for each in found[name] if each.kind == "value"]
            if name == "prompt":
                choices = _prompts(self.project)
            kept = str(self.initial.get(name) or "")
            if kept and kept not in dict(choices):
                choices.append((kept, _name_of(kept, {**names.prompts, **names.keys} if names else {})))
            self._offer(name, [ANY, *choices])

    def _explain_values(self) -> None:
        words = "In the metric's unit: percent for rates, ms for latency, US dollars for cost."
        if self.kind == AlertKind.CHANGE:
            words = "In percent of what it was; for rates in percentage points."
        self.fields["value"].help_text = words
        self.fields["warn_value"].help_text = "Before the alert. Empty for no warning."


def _initial(rule: AlertRule) -> dict[str, Any]:
    spec = spec_of(rule)
    found = {
        name: getattr(spec, name) for name in ("metric", "comparison", "window_minutes", "compared_with")
    }
    scope = spec.scope
    return found | {
        "name": rule.name,
        "value": _written(spec, spec.value),
        "warn_value": _written(spec, spec.warn_value),
        "minimum_sample": spec.minimum_sample,
        "levels": list(spec.levels),
        "renotify_hours": spec.renotify_hours,
        "recipients": [ids.encode(Membership.PREFIX, each) for each in rule.recipients],
        "prompt": ids.encode("prm", scope.prompt_id) if scope.prompt_id else "",
        "version": scope.version_number,
        "label": scope.label,
        "model": scope.model,
        "key": ids.encode("key", scope.api_key_id) if scope.api_key_id else "",
        "source": scope.source,
        "sandbox": scope.sandbox,
    }


def _written(spec: RuleSpec, value: Decimal | None) -> str:
    if value is None:
        return ""
    shown = abs(value) if spec.kind == AlertKind.CHANGE else value
    if spec.kind == AlertKind.THRESHOLD and METRICS[spec.metric].unit == "share":
        shown = shown * 100
    return f"{shown.normalize():f}"


def _prompts(project: Project) -> list[tuple[str, str]]:
    """The project's prompts by name; those that were never called can be watched too."""
    found = Prompt.objects.filter(project=project).order_by("name").only("name")
    return [(each.public_id, each.name) for each in found[:MOST_CHOICES]]


def _people(members: Sequence[Membership], rule: AlertRule | None) -> list[tuple[str, str]]:
    people = [(each.public_id, f"{each.user.display_name} ({each.user.email})") for each in members]
    known = {public_id for public_id, _ in people}
    kept = [ids.encode(Membership.PREFIX, each) for each in (rule.recipients if rule else ())]
    gone = [(each, "A former member, or one who may not see this") for each in kept if each not in known]
    return people + gone


def _name_of(public_id: str, known: dict[UUID, str]) -> str:
    read = ids.read_any(public_id)
    return known.get(read[1], "deleted") if read else public_id

"""How a prompt is served, and a project by default: four cards, each changed by itself."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from apps.core.errors import Conflict, InvalidRequest, PromptsaasError
from apps.core.numbers import whole_number
from apps.guardrails import words
from apps.guardrails.policy import parse_policy
from apps.prompts import queries, services
from apps.prompts.models import Prompt
from apps.prompts.serving import SECTIONS, Section
from apps.prompts.serving_state import ServingState, serving_state
from apps.prompts.web import guard_form, serving_forms
from apps.prompts.web.guard_form import GuardForm
from apps.prompts.web.guard_trial import tried_text
from apps.prompts.web.guard_words import guard_facts
from apps.prompts.web.presenting import OnePromptPage, PromptPage
from apps.prompts.web.serving_forms import CacheForm, CallsForm, LimitsForm, SectionForm
from apps.tenants.roles import Permission

TITLES: Final[Mapping[Section, str]] = {
    "guardrails": "Guardrails",
    "cache": "Caches",
    "calls": "Calls and fallbacks",
    "limits": "Limits",
}
FORMS: Final[Mapping[Section, type[SectionForm]]] = {
    "cache": CacheForm,
    "calls": CallsForm,
    "limits": LimitsForm,
}
FACTS: Final[Mapping[Section, Callable[[Mapping[str, Any]], list[tuple[str, str]]]]] = {
    "guardrails": guard_facts,
    "cache": serving_forms.cache_facts,
    "calls": serving_forms.call_facts,
    "limits": serving_forms.limit_facts,
}
ORIGINS: Final = {"prompt": "Its own", "project": "As the project", "default": "Default"}
MOST_MODELS: Final = 300
LONGEST_TRIED: Final = 20_000
_STALE: Final = (
    "Somebody changed these rules since you opened the page. What you typed is kept; save again to put it in "
    "the place of theirs."
)

AnyForm = SectionForm | GuardForm


class ServingPage(PromptPage, abstract=True):
    """The cards, of a prompt or of the project; what is sent names its card."""

    def prompt_of_page(self) -> Prompt | None:
        """The prompt whose page it is; None for the project's default."""
        return None

    def may_change(self) -> bool:
        """Whether the reader may change the cards."""
        return self.access.can(Permission.PROMPTS_RELEASE)

    def shown(self, context: Mapping[str, Any], status: int) -> HttpResponse:
        """Render the page with its cards."""
        raise NotImplementedError

    def back(self, section: Section) -> str:
        """The address of a card."""
        raise NotImplementedError

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        return self.page()

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        section = next((each for each in SECTIONS if each == request.POST.get("section")), None)
        if section is None:
            raise InvalidRequest(f"The card is one of {', '.join(SECTIONS)}.", param="section")
        state = self.state()
        if section != "guardrails":
            return self._saved(state, section, self._form(state, section, request.POST))
        form = guard_form.typed_form(request.POST)
        verb, _, what = request.POST.get("action", "save").partition(":")
        if verb == "add":
            form.add_rule(request.POST.get("kind", ""))
        elif verb == "remove":
            form.remove_rule(whole_number(what) or 0)
        elif verb == "try":
            return self._tried(state, form)
        else:
            return self._saved(state, section, form)
        return self.page(state, {section: form})

    def state(self) -> ServingState:
        """What holds now."""
        return serving_state(self.project, self.prompt_of_page())

    def page(
        self,
        state: ServingState | None = None,
        typed: Mapping[Section, AnyForm] | None = None,
        status: int = 200,
        **more: object,
    ) -> HttpResponse:
        """The page; cards in `typed` stand as they were sent."""
        state = state or self.state()
        forms = {name: self._form(state, name) for name in SECTIONS} | dict(typed or {})
        context = {
            "cards": [self._card(state, name, forms[name]) for name in SECTIONS],
            "revision": state.revision,
            "changed_at": state.changed_at,
            "changed_by": state.changed_by,
            "may_change": self.may_change(),
            "models": state.models[:MOST_MODELS] if self.may_change() else (),
            "kinds_of_sides": words.SIDES,
            "spotlights": guard_form.SPOTLIGHTS,
            "canaries": guard_form.CANARIES,
            "judge_actions": [(name, words.ACTIONS[name]) for name in ("flag", "block")],
            "history": self._history(),
            **more,
        }
        return self.shown(context, status)

    def _saved(self, state: ServingState, section: Section, form: Any) -> HttpResponse:
        if isinstance(form, SectionForm) and not form.is_valid():
            return self.page(state, {section: form}, 422)
        try:
            services.change_serving(
                actor=self.access.actor,
                project=self.project,
                prompt=self.prompt_of_page(),
                sections={section: form.section_value()},
                revision=whole_number(self.request.POST.get("revision", "")),
            )
        except InvalidRequest as refusal:
            form.add_problem(refusal)
            return self.page(state, {section: form}, 422)
        except Conflict:
            form.add_problem(Conflict(_STALE))
            return self.page(self.state(), {section: form}, 409)
        messages.success(self.request, f"{TITLES[section]}: saved. Every gateway obeys within a second.")
        return redirect(self.back(section))

    def _tried(self, state: ServingState, form: GuardForm) -> HttpResponse:
        """What the rules as they were typed find in a text; nothing is saved or recorded."""
        try:
            policy = parse_policy(form.value()) if form.own else state.rules.guardrails
        except PromptsaasError as refusal:
            form.add_problem(refusal)
            return self.page(state, {"guardrails": form}, 422)
        tried = tried_text(policy, form.try_text[:LONGEST_TRIED], form.try_side)
        return self.page(state, {"guardrails": form}, tried=tried)

    def _form(self, state: ServingState, section: Section, data: Any = None) -> AnyForm:
        own = state.own[section] is not None
        if section == "guardrails":
            return guard_form.stored_form(state.effective[section], own=own)
        inherited = "As the project" if self.prompt_of_page() else "Default"
        return FORMS[section](data, values=state.effective[section], own=own, inherited=inherited)

    def _card(self, state: ServingState, section: Section, form: AnyForm) -> dict[str, Any]:
        inherited = state.project[section] if self.prompt_of_page() else None
        return {
            "section": section,
            "title": TITLES[section],
            "origin": ORIGINS["prompt" if state.own[section] is not None else state.origins[section]],
            "own": state.own[section] is not None,
            "form": form,
            "facts": FACTS[section](state.effective[section]),
            "warnings": [each.message for each in state.warnings if each.param.startswith(f"{section}.")],
            "inherited": "As the project" if self.prompt_of_page() else "Default",
            "inherits_nothing": inherited is None,
        }

    def _history(self) -> str:
        """Where the audit log tells of every change, for who may read it."""
        if not self.access.can(Permission.AUDIT_VIEW):
            return ""
        target = self.prompt_of_page() or self.project
        asked = urlencode({"object": target.public_id, "action": "serving.changed"})
        return f"{reverse('tenants:audit', args=[self.organization.slug])}?{asked}"


class PromptServingView(ServingPage, OnePromptPage):
    """How one prompt is served."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_VIEW, "POST": Permission.PROMPTS_RELEASE}

    def prompt_of_page(self) -> Prompt | None:
        return self.prompt

    def may_change(self) -> bool:
        return self.may(Permission.PROMPTS_RELEASE)

    def shown(self, context: Mapping[str, Any], status: int) -> HttpResponse:
        labels = queries.labels_of([self.prompt])[self.prompt.pk]
        head = self.head(self.prompt, labels, "serving")
        return self.render("prompts/serving.html", {**head, **context}, status)

    def back(self, section: Section) -> str:
        return f"{self.address('serving', self.prompt.public_id)}#{section}"


class ProjectServingView(ServingPage):
    """How a project's prompts are served by default, and its plain models."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_VIEW, "POST": Permission.PROMPTS_RELEASE}

    def shown(self, context: Mapping[str, Any], status: int) -> HttpResponse:
        return self.render("prompts/project_serving.html", context, status)

    def back(self, section: Section) -> str:
        return f"{self.address('project-serving')}#{section}"

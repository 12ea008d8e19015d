"""The quickstart: from an empty project to a model's answer in one's own program."""

from typing import Any, ClassVar, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from apps.core import ids
from apps.core.errors import PromptsaasError
from apps.dashboard import onboarding
from apps.dashboard.snippets import first_call
from apps.prompts import grants
from apps.prompts.models import Prompt
from apps.runs.queries import find_run, load_content
from apps.tenants.models import Project
from apps.tenants.roles import ANY_MEMBER, Permission, Scope
from apps.tenants.services import create_api_key
from apps.tenants.web.base import ProjectView

SKIPPED: Final = "welcome_skipped"
STOP_POLLING: Final = 286
KEY_SCOPES: Final = [Scope.READ.value, Scope.RUN.value]


def is_skipped(request: HttpRequest, project: Project) -> bool:
    """Whether somebody said "not now" in this session."""
    return str(project.id) in request.session.get(SKIPPED, [])


class WelcomePage(ProjectView, abstract=True):
    """What the page and the answers to its forms share."""

    def page(self, request: HttpRequest, token: str = "") -> HttpResponse:
        """The checklist; a key that was made just now stands in the code, and nowhere afterwards."""
        progress = onboarding.progress_of(self.project)
        prompt, sample = self._seen(progress.prompt), self._seen(progress.sample)
        context = {
            "progress": progress,
            "first_run": onboarding.first_call_of(self.project),
            "may_see": self.access.can(Permission.RUNS_VIEW),
            "prompt": prompt,
            "sample": sample,
            "snippets": first_call(prompt or sample, token),
            "token": token,
            "answer": self._answer(request.GET.get("tried", "")),
            "sample_runs": onboarding.sample_runs(self.project, sample),
            "can": {
                "try": self.access.can(Permission.RUNS_CREATE) and self.access.can(Permission.PROMPTS_EDIT),
                "edit": self.access.can(Permission.PROMPTS_EDIT),
                "key": self.access.can(Permission.KEYS_MANAGE),
                "providers": self.access.can(Permission.PROVIDERS_MANAGE),
            },
        }
        response = self.render("dashboard/welcome.html", context)
        if token:
            response.headers["Cache-Control"] = "no-store"
        return response

    def _seen(self, prompt: Prompt | None) -> Prompt | None:
        """The prompt, unless the reader may not see it."""
        if prompt is None or grants.rights_on(self.access, [prompt]).can(Permission.PROMPTS_VIEW, prompt):
            return prompt
        return None

    def _answer(self, public_id: str) -> dict[str, Any] | None:
        """The sample's try that the address names, with its text."""
        run = find_run(self.project.id, public_id) if self.access.can(Permission.RUNS_VIEW) else None
        if run is None:
            return None
        content = load_content(run)
        return {
            "run": run,
            "input": onboarding.SAMPLE_VARIABLES["review"],
            "text": content.output if content else "",
        }


class WelcomeView(WelcomePage):
    """The checklist. It stays reachable from the help menu when all is done."""

    permissions: ClassVar = {"GET": ANY_MEMBER}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        return self.page(request)


class TrySampleView(ProjectView):
    """Run the sample prompt on the sandbox: a first answer without any provider's key."""

    permissions: ClassVar = {"POST": Permission.RUNS_CREATE}
    scoped: ClassVar[bool] = False

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        self.access.require(Permission.PROMPTS_EDIT)
        address = self.address("dashboard:welcome")
        try:
            result = onboarding.try_sample(
                actor=self.access.actor, project=self.project, organization_id=self.organization.id
            )
        except PromptsaasError as error:
            messages.error(request, f"The sample could not be run: {error.message}")
            return redirect(address)
        return redirect(f"{address}?tried={ids.encode('run', result.run_id)}")


class FirstKeyView(WelcomePage):
    """Make a key for the first call and show it once, inside the code to paste."""

    permissions: ClassVar = {"POST": Permission.KEYS_MANAGE}

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        _, token = create_api_key(
            actor=self.access.actor,
            project=self.project,
            created_by=self.user,
            name="First call",
            scopes=KEY_SCOPES,
        )
        return self.page(request, token)


class FirstCallView(ProjectView):
    """The line that waits for the first call and turns green; 286 ends the polling."""

    permissions: ClassVar = {"GET": ANY_MEMBER}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        run = onboarding.first_call_of(self.project)
        context = {"first_run": run, "may_see": self.access.can(Permission.RUNS_VIEW)}
        status = STOP_POLLING if run else 200
        return self.render("dashboard/welcome.html#waiting", context, status=status)


class SkipView(ProjectView):
    """Go to the ordinary home instead; the quickstart stays in the help menu."""

    permissions: ClassVar = {"POST": ANY_MEMBER}

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        skipped = request.session.get(SKIPPED, [])
        request.session[SKIPPED] = [*skipped, str(self.project.id)][-50:]
        return redirect(self.address("dashboard:home"))

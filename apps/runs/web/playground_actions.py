"""What the playground's script asks of the server: JSON, and errors in the API's shape."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, ClassVar, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.urls import reverse

from apps.core import ids
from apps.core.errors import Conflict, InvalidRequest, NotFound, PromptsaasError
from apps.core.json_bodies import parse_json
from apps.core.request_id import current_request_id
from apps.datasets import queries as dataset_queries
from apps.datasets import services as dataset_services
from apps.datasets.mapping import RowValues
from apps.prompts import drafting, grants
from apps.prompts import queries as prompt_queries
from apps.prompts import services as prompt_services
from apps.prompts.models import Prompt
from apps.prompts.rendering import coerce_values, render
from apps.runs import queries
from apps.runs.inline import Asked, attributed
from apps.runs.models import Run
from apps.runs.playground_tokens import SECONDS, PlaygroundUser, issue_token
from apps.runs.types import amount_text
from apps.runs.web import playground_code
from apps.runs.web.playground_content import PageContent, visible_prompt
from apps.runs.web.run_notes import run_notes
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView

BODY_LIMIT: Final = 2 * 1024 * 1024


class PlaygroundAction(ProjectView, abstract=True):
    """An address for the page's script."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return super().dispatch(request, *args, **kwargs)
        except PromptsaasError as error:
            return JsonResponse(error.body(current_request_id()), status=error.status)

    def body(self) -> dict[str, Any]:
        """The request's JSON object. Raises InvalidRequest."""
        found = parse_json(self.request.body, limit=BODY_LIMIT)
        if not isinstance(found, dict):
            raise InvalidRequest("The body is a JSON object.", code="invalid_json")
        return found


class TokenView(PlaygroundAction):
    """A token for the gateway, good for a minute."""

    permissions: ClassVar = {"POST": Permission.RUNS_CREATE}

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        who = PlaygroundUser(self.organization.pk, self.project.pk, self.user.pk)
        answer = JsonResponse({"token": issue_token(who), "expires_in": SECONDS})
        answer["Cache-Control"] = "no-store"
        return answer


class VariablesView(PlaygroundAction):
    """The variables of the messages as they stand, as a part of the page."""

    permissions: ClassVar = {"POST": Permission.RUNS_CREATE}

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        body = self.body()
        content = PageContent(typed=drafting.from_json(body), values=_texts(body, "values"))
        reading = content.typed.reading()
        problems = [hint for hint in reading.hints if hint.level == "bad"]
        return self.render(
            "runs/playground_variables.html", {"variables": content.rows(), "problems": problems}
        )


class FactsView(PlaygroundAction):
    """The figures of a run of one's own, which a stopped stream can't tell any more."""

    permissions: ClassVar = {"GET": Permission.RUNS_CREATE}

    def get(self, request: HttpRequest, *, run: str, **_: str) -> HttpResponse:
        found = queries.get_run(self.project.pk, run)
        if found.source != "playground" or found.source_id != self.user.pk:
            raise NotFound("There is no such run of yours.", code="run_not_found")
        return JsonResponse(_figures(found))


class CodeView(PlaygroundAction):
    """Code that repeats a column: the saved version where nothing was changed, else its rendered messages."""

    permissions: ClassVar = {"POST": Permission.RUNS_CREATE}

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        body = self.body()
        content = drafting.from_json(body).content()
        number = body.get("version") if isinstance(body.get("version"), int) else None
        inline = attributed(self.project.pk, Asked(content, str(body.get("prompt") or ""), number))
        values = {name: text for name, text in _texts(body, "values").items() if text}
        if inline.number is not None:
            typed = {name: _typed(inline.variables, name, text) for name, text in values.items()}
            call = playground_code.version_call(
                inline.name, inline.number, typed, inline.model, inline.parameters
            )
        else:
            rendered = render(inline.messages, inline.variables, values)
            call = playground_code.chat_call(
                inline.model, rendered, inline.parameters, inline.output_schema, inline.tools
            )
        return JsonResponse(playground_code.snippets(settings.PUBLIC_URL, call))


class SaveView(PlaygroundAction):
    """What stands on the page as one's draft, or as a new prompt; the editor shows and saves it."""

    permissions: ClassVar = {"POST": Permission.RUNS_CREATE}

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        body = self.body()
        typed = drafting.from_json(body)
        typed = replace(typed, variables=PageContent(typed=typed, values=_texts(body, "values")).rows())
        if body.get("prompt"):
            prompt = self._draft(str(body["prompt"]), typed, body)
        else:
            prompt = self._new_prompt(typed, body)
        return JsonResponse({"href": self.address("prompts:edit", prompt.public_id)})

    def _draft(self, reference: str, typed: drafting.TypedPrompt, body: Mapping[str, Any]) -> Prompt:
        prompt = visible_prompt(self.access, self.project, reference)
        if not grants.rights_on(self.access, [prompt]).can(Permission.PROMPTS_EDIT, prompt):
            self.access.require(Permission.PROMPTS_EDIT)
        draft = prompt_queries.find_draft(prompt, self.user.pk)
        if draft is not None and body.get("replace") is not True:
            raise Conflict(
                f"You have a draft of {prompt.name} already. Saving replaces it.", code="draft_exists"
            )
        base = body.get("version")
        prompt_services.save_draft(
            actor=self.access.actor,
            prompt=prompt,
            typed=typed,
            base_number=base if isinstance(base, int) else prompt.latest_number,
            revision=draft.revision if draft else 0,
        )
        return prompt

    def _new_prompt(self, typed: drafting.TypedPrompt, body: Mapping[str, Any]) -> Prompt:
        self.access.require(Permission.PROMPTS_EDIT)
        return prompt_services.create_prompt(
            actor=self.access.actor,
            project=self.project,
            name=str(body.get("name") or ""),
            kind="chat",
            description="",
            content=typed.content(),
            message="From the playground",
        )


class RowsView(PlaygroundAction):
    """Add what was tried to a dataset: the values, and the answer as the expected one if wanted."""

    permissions: ClassVar = {"POST": Permission.DATASETS_EDIT}

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        body = self.body()
        dataset = dataset_queries.get_dataset(self.project, str(body.get("dataset") or ""))
        expected = body.get("expected")
        row = RowValues(
            variables=dict(_texts(body, "values")),
            expected=expected if isinstance(expected, str) and expected else None,
            metadata={"run_id": run} if (run := self._run(str(body.get("run") or ""))) else {},
        )
        version = dataset_services.append_rows(actor=self.access.actor, dataset=dataset, rows=[row])
        href = reverse("datasets:detail", args=[self.organization.slug, self.project.slug, dataset.public_id])
        said = f"Added to {dataset.name}, which now has {version.row_count:,} rows."
        return JsonResponse({"message": said, "href": href})

    def _run(self, public_id: str) -> str:
        known = ids.decode_or_none(Run.PREFIX, public_id)
        return public_id if known else ""


def _figures(run: Run) -> dict[str, Any]:
    """What a run used and cost, in the words of the gateway's events."""
    usage = {name: getattr(run, name) for name in ("input_tokens", "output_tokens", "cached_tokens")}
    return {
        "id": run.public_id,
        "status": run.status,
        "usage": {**usage, "origin": run.usage_origin},
        "cost": {"status": run.price_status, "amount": amount_text(run.price_amount), "currency": "USD"},
        "notes": [asdict(note) for note in run_notes(run)],
    }


def _texts(body: Mapping[str, Any], name: str) -> dict[str, str]:
    found = body.get(name)
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str)}


def _typed(variables: tuple[dict[str, Any], ...], name: str, text: str) -> Any:
    """A value as its variable's type has it."""
    declared = [each for each in variables if each["name"] == name]
    return coerce_values(declared, {name: text}).get(name, text) if declared else text

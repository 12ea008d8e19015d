"""Drafts on the server, and what happens when two people, or two browsers, changed the same prompt."""

import json
from dataclasses import replace
from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect
from django.utils import formats, timezone

from apps.core.errors import Conflict, InvalidRequest, NotFound, PromptsaasError
from apps.core.json_bodies import parse_json
from apps.core.numbers import whole_number
from apps.core.request_id import current_request_id
from apps.prompts import queries, services
from apps.prompts.drafting import TypedPrompt, from_content, from_json
from apps.prompts.merging import Merge, merge
from apps.prompts.models import Draft
from apps.prompts.types import VersionContent
from apps.prompts.web import editor_form
from apps.prompts.web.editor_form import EditorForm
from apps.prompts.web.editor_page import EditorPage
from apps.prompts.web.merge_rows import merge_context
from apps.tenants.roles import Permission

FORM_ENCODED = "application/x-www-form-urlencoded"


class ComparePage(EditorPage, abstract=True):
    """Saving, and the view of two sides when somebody was faster."""

    def keep(self, form: EditorForm) -> Draft:
        """Save what was typed as the person's draft."""
        return services.save_draft(
            actor=self.access.actor,
            prompt=self.prompt,
            typed=form.typed,
            base_number=form.base_number,
            revision=form.revision,
        )

    def publish(self, form: EditorForm, typed: TypedPrompt) -> str:
        """Save a version, move the label that was chosen, drop the draft; gives the words to say so."""
        data = self.request.POST
        label = data.get("label", "")
        if label:
            self.require(Permission.PROMPTS_RELEASE)
        version = services.publish_version(
            actor=self.access.actor,
            prompt=self.prompt,
            content=typed.content(),
            message=data.get("message", ""),
            base_number=form.base_number,
        )
        # A draft that another browser has changed meanwhile is not this one, and stays.
        services.discard_draft(actor=self.access.actor, prompt=self.prompt, revision=form.revision)
        if not label:
            return f"Version {version.number} is saved."
        services.move_label(actor=self.access.actor, prompt=self.prompt, label=label, number=version.number)
        return f"Version {version.number} is saved and {label} points at it."

    def two_versions(self, form: EditorForm, choices: dict[str, str] | None = None) -> HttpResponse:
        """Somebody saved a version meanwhile: both sides, merged where they do not touch."""
        latest = queries.latest_version(self.prompt)
        theirs = from_content(queries.version_content(latest))
        context = {
            "who": latest.author_name or "Somebody",
            "when": latest.created_at,
            "theirs_name": f"v{latest.number}",
            "theirs_number": latest.number,
            "theirs_revision": 0,
            "base_number": form.base_number,
        }
        return self._both_sides(form, theirs, context, choices)

    def two_drafts(self, form: EditorForm, choices: dict[str, str] | None = None) -> HttpResponse:
        """The same person typed in another browser meanwhile: both drafts, merged where they do not touch."""
        draft = queries.find_draft(self.prompt, self.user.pk)
        if draft is None:
            raise NotFound("There is no draft of this prompt any more.")
        context = {
            "who": "You",
            "when": draft.updated_at,
            "theirs_name": "the other browser's draft",
            "theirs_number": form.base_number,
            "theirs_revision": draft.revision,
            "base_number": form.base_number,
        }
        return self._both_sides(form, from_json(draft.content), context, choices)

    def merged(self, form: EditorForm, theirs: TypedPrompt) -> Merge:
        """Both sides of the version that the form began from."""
        base = queries.version_content(queries.get_version(self.prompt, form.base_number))
        return merge(from_content(base), theirs, form.typed)

    def _both_sides(
        self, form: EditorForm, theirs: TypedPrompt, context: dict[str, Any], choices: dict[str, str] | None
    ) -> HttpResponse:
        labels = queries.labels_of([self.prompt])[self.prompt.pk]
        data = self.request.POST
        context |= {
            **self.head(self.prompt, labels, "edit"),
            **merge_context(self.merged(form, theirs), choices or {}),
            "mine": json.dumps(form.typed.as_json()),
            "revision": form.revision,
            "message": data.get("message", ""),
            "label": data.get("label", ""),
            "next_number": self.prompt.latest_number + 1,
            "action": self.address("merge", self.prompt.public_id),
            "edit_address": self.address("edit", self.prompt.public_id),
        }
        return self.render("prompts/merge.html", context, status=409)


class DraftView(ComparePage):
    """One person's draft of one prompt. PUT is what the editor sends by itself."""

    permissions: ClassVar = {"PUT": Permission.PROMPTS_EDIT, "POST": Permission.PROMPTS_EDIT}

    def put(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        """Save the draft. 409 with the stored revision when another browser saved since."""
        try:
            draft = self._put(request)
        except PromptsaasError as error:
            return JsonResponse(error.body(current_request_id()), status=error.status)
        saved = timezone.localtime(draft.updated_at)
        return JsonResponse(
            {
                "id": draft.public_id,
                "revision": draft.revision,
                "saved_at": saved.isoformat(),
                "words": f"Draft saved {formats.time_format(saved, 'H:i')}",
                "latest_number": self.prompt.latest_number,
            }
        )

    def _put(self, request: HttpRequest) -> Draft:
        if request.content_type != FORM_ENCODED:
            raise InvalidRequest(f"Send the editor's form as {FORM_ENCODED}.")
        data = QueryDict(request.body, encoding="utf-8")
        return self.keep(editor_form.from_post(data, self.prompt.latest_number))

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        """Discard the draft, or compare it with what another browser holds."""
        if request.POST.get("action") == "discard":
            services.discard_draft(actor=self.access.actor, prompt=self.prompt)
            messages.success(request, "The draft is discarded.")
            return redirect(self.address("edit", self.prompt.public_id))
        return self.two_drafts(editor_form.from_post(request.POST, self.prompt.latest_number))


class MergeView(ComparePage):
    """Two sides put together; GET merges the person's draft with the newest version."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_EDIT, "POST": Permission.PROMPTS_EDIT}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        draft = queries.find_draft(self.prompt, self.user.pk)
        if draft is None or draft.base_number == self.prompt.latest_number:
            return redirect(self.address("edit", self.prompt.public_id))
        form = EditorForm(from_json(draft.content), draft.base_number, draft.revision)
        response = self.two_versions(form)
        response.status_code = 200
        return response

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        """Take the choices: go on editing the result as a draft, or save it as a version."""
        form = self._mine()
        choices = {
            name.removeprefix("choice."): str(value)
            for name, value in request.POST.items()
            if name.startswith("choice.")
        }
        theirs_revision = whole_number(request.POST.get("theirs_revision", "")) or 0
        if theirs_revision:
            return self._settle_drafts(form, choices, theirs_revision)
        return self._settle_versions(form, choices)

    def _settle_versions(self, form: EditorForm, choices: dict[str, str]) -> HttpResponse:
        number = whole_number(self.request.POST.get("theirs_number", "")) or self.prompt.latest_number
        theirs = from_content(self._content(number))
        typed = self.merged(form, theirs).result(choices)
        result = replace(form, typed=typed, base_number=number)
        if self.request.POST.get("action") != "publish":
            return self._edit(result)
        try:
            saved = self.publish(result, typed)
        except Conflict as error:
            if error.code == "version_stale":
                return self.two_versions(result)
            return self._edit(result, error.message)
        except InvalidRequest as error:
            return self._edit(result, error.message)
        messages.success(self.request, saved)
        return redirect(self.address("edit", self.prompt.public_id))

    def _settle_drafts(self, form: EditorForm, choices: dict[str, str], revision: int) -> HttpResponse:
        draft = queries.find_draft(self.prompt, self.user.pk)
        if draft is not None and draft.revision != revision:
            return self.two_drafts(form, choices)
        theirs = from_json(draft.content) if draft is not None else form.typed
        typed = self.merged(form, theirs).result(choices)
        return self._edit(replace(form, typed=typed, revision=revision))

    def _edit(self, result: EditorForm, problem: str = "") -> HttpResponse:
        """The result as the draft, open in the editor; what could not be saved is said there."""
        try:
            self.keep(result)
        except Conflict:
            return self.two_drafts(result)
        if problem:
            messages.error(self.request, problem)
        return redirect(self.address("edit", self.prompt.public_id))

    def _content(self, number: int) -> VersionContent:
        return queries.version_content(queries.get_version(self.prompt, number))

    def _mine(self) -> EditorForm:
        try:
            body = parse_json(self.request.POST.get("mine", "").encode())
        except (InvalidRequest, UnicodeEncodeError):
            body = None
        typed = from_json(body) if isinstance(body, dict) else None
        if typed is None or not typed.messages:
            raise InvalidRequest("The form holds no prompt to merge. Open the editor again.", param="mine")
        base = whole_number(self.request.POST.get("base_number", "")) or self.prompt.latest_number
        revision = whole_number(self.request.POST.get("revision", "")) or 0
        return EditorForm(typed, base, revision)

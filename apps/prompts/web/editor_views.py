"""The editor: the newest version or a draft as a form, its preview, and saving the next version."""

from collections.abc import Mapping
from typing import ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from apps.core.errors import Conflict, InvalidRequest
from apps.prompts import queries
from apps.prompts.drafting import from_content, from_json
from apps.prompts.models import Draft
from apps.prompts.web import editor_form
from apps.prompts.web.draft_views import ComparePage
from apps.prompts.web.editor_form import EditorForm
from apps.prompts.web.editor_page import EditorPage
from apps.prompts.web.playground import playground_address
from apps.tenants.roles import Permission


class EditView(ComparePage):
    """The editor for who may edit; everyone else reads the newest version."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_VIEW, "POST": Permission.PROMPTS_EDIT}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        if not self.may(Permission.PROMPTS_EDIT):
            return redirect(self.address("version", self.prompt.public_id, self.prompt.latest_number))
        draft = queries.find_draft(self.prompt, self.user.pk)
        return self._page(self._opened(draft), {}, draft=draft, discard_open="discard" in request.GET)

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        action = request.POST.get("action", "preview")
        form = editor_form.from_post(request.POST, self.prompt.latest_number)
        if action == "publish":
            return self._publish(form)
        form = editor_form.changed(form, action)
        try:
            draft = self.keep(form)
        except Conflict:
            return self.two_drafts(form)
        except InvalidRequest as error:
            return self._page(form, {"": error.message}, status=422)
        if action == "run":
            return redirect(playground_address(self.prompt, self.organization, self.project, draft))
        return self._page(form, {}, draft=draft, save_open=action == "save")

    def _opened(self, draft: Draft | None) -> EditorForm:
        if draft is not None:
            typed = from_json(draft.content)
            if typed.messages:
                return EditorForm(typed, draft.base_number, draft.revision)
        version = queries.latest_version(self.prompt)
        return EditorForm(from_content(queries.version_content(version)), version.number)

    def _publish(self, form: EditorForm) -> HttpResponse:
        try:
            saved = self.publish(form, form.typed)
        except InvalidRequest as error:
            return self._page(form, field_errors(error), status=422)
        except Conflict as error:
            if error.code == "version_stale":
                return self.two_versions(form)
            return self._page(form, {"": error.message}, status=422)
        messages.success(self.request, saved)
        return redirect(self.address("edit", self.prompt.public_id))

    def _page(
        self,
        form: EditorForm,
        errors: Mapping[str, str],
        *,
        draft: Draft | None = None,
        status: int = 200,
        **more: object,
    ) -> HttpResponse:
        labels = queries.labels_of([self.prompt])[self.prompt.pk]
        data = self.request.POST if self.request.method == "POST" else None
        revision = draft.revision if draft is not None else form.revision
        context = {
            **self.head(self.prompt, labels, "edit"),
            **self.editor(form, errors),
            **self.save_dialog(labels, data),
            "revision": revision,
            "draft": draft,
            "has_draft": bool(revision),
            "newer": self.prompt.latest_number if form.base_number < self.prompt.latest_number else 0,
            "merge_address": self.address("merge", self.prompt.public_id),
            # With scripts the open dialog asks for it.
            "change": self.change(form) if more.get("save_open") else {},
            "can_run": bool(playground_address(self.prompt, self.organization, self.project, None)),
            "save_open": False,
            "discard_open": False,
            **more,
        }
        return self.render("prompts/editor.html", context, status=status)


class PreviewView(EditorPage):
    """The parts of the editor that follow what is typed, for htmx; saves nothing."""

    permissions: ClassVar = {"POST": Permission.PROMPTS_EDIT}

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        action = request.POST.get("action", "")
        form = editor_form.from_post(request.POST, self.prompt.latest_number)
        if request.POST.get("part") == "diff":
            context: dict[str, object] = {"change": self.change(form), "base_number": form.base_number}
            return self.render("prompts/editor_change.html", context)
        form = editor_form.changed(form, action)
        context = self.editor(
            form,
            {},
            with_variables=request.POST.get("part") != "values" or action.startswith(("define", "forget")),
            with_schema=action.startswith("schema:"),
            with_tools=action.startswith("tools:"),
        )
        return self.render("prompts/editor_parts.html", context)


def field_errors(error: InvalidRequest) -> dict[str, str]:
    """An error under the field it belongs to; the empty name is the whole form."""
    param = error.param or ""
    parts = param.split(".")
    if parts[0] in ("messages", "variables") and len(parts) > 1:
        return {".".join(parts[:2]): error.message, "": error.message}
    if parts[0] == "tools":
        return {"tools": error.message, "": error.message}
    if parts[0] in ("parameters", "output_schema", "model"):
        return {param: error.message, "": error.message}
    return {"": error.message}

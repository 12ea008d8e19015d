"""Labels: where each points, how it got there, and the dialogs that move, roll back and remove it."""

from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.numbers import whole_number
from apps.core.web_paging import web_page
from apps.prompts import queries, services
from apps.prompts.diffing import diff_versions, summarize
from apps.prompts.models import Label, Prompt
from apps.prompts.services import ANY, ExpectedNumber
from apps.prompts.types import PRODUCTION
from apps.prompts.web.history_views import HistoryPage
from apps.prompts.web.presenting import OnePromptPage
from apps.tenants.roles import Permission


class LabelsPage(OnePromptPage, abstract=True):
    """The labels of a prompt with their history, and what the dialogs over it share."""

    def page(self, status: int = 200, **more: object) -> HttpResponse:
        """Render the page; `dialog` opens a confirmation over it."""
        prompt, rows = self.prompt, self.label_rows()
        chosen = self.request.GET.get("label", "")
        moves = web_page(queries.label_history(prompt, chosen), self.request)
        names = queries.moved_labels(prompt)
        context = {
            **self.head(prompt, {row["name"]: row["number"] for row in rows}, "labels"),
            "rows": rows,
            "moves": moves,
            "chosen": chosen,
            "label_options": [("", "All labels"), *((name, name) for name in names)],
            "may_release": self.may(Permission.PROMPTS_RELEASE),
            "set_address": self.address("move", prompt.public_id),
            "labels_address": self.address("labels", prompt.public_id),
            **more,
        }
        return self.render("prompts/labels.html", context, status=status)

    def label_rows(self) -> list[dict[str, Any]]:
        """The labels with where each can go, production first; two queries."""
        prompt = self.prompt
        targets = queries.rollback_targets(prompt)
        labels = sorted(
            queries.labels_with_versions(prompt), key=lambda label: (label.name != PRODUCTION, label.name)
        )
        return [self._label_row(label, targets.get(label.name)) for label in labels]

    def _label_row(self, label: Label, target: int | None) -> dict[str, Any]:
        prompt_id, latest = self.prompt.public_id, self.prompt.latest_number
        return {
            "name": label.name,
            "number": label.version.number,
            "text": label.version.message,
            "moved_at": label.moved_at,
            "moved_by": label.moved_by,
            "version_address": self.address("version", prompt_id, label.version.number),
            "move_address": self.address("move", prompt_id, label=label.name, to=latest),
            "is_newest": label.version.number == latest,
            "rollback_number": target,
            "rollback_address": self.address("rollback", prompt_id, label.name),
            "remove_address": self.address("remove", prompt_id, label.name),
        }


class LabelsView(LabelsPage):
    """Every label of a prompt and its history."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_VIEW}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        return self.page()


class MoveView(HistoryPage):
    """Point a label at a version: a dialog over the comparison of the two."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_RELEASE, "POST": Permission.PROMPTS_RELEASE}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        prompt = self.prompt
        number = whole_number(request.GET.get("to", "")) or prompt.latest_number
        return self._page(prompt, request.GET.get("label", ""), number)

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        prompt = self.prompt
        label, number = request.POST.get("label", "").strip(), whole_number(request.POST.get("number", ""))
        reason = request.POST.get("reason", "")
        try:
            services.move_label(
                actor=self.access.actor,
                prompt=prompt,
                label=label,
                number=number or 0,
                expected_number=expected_number(request),
                reason=reason,
            )
        except (InvalidRequest, NotFound, Conflict) as error:
            wanted = number or prompt.latest_number
            status = 409 if isinstance(error, Conflict) else 422
            return self._page(prompt, label, wanted, error=error.message, reason=reason, status=status)
        messages.success(request, f"{label} points at v{number}. Every gateway serves it within a second.")
        return redirect(self.address("labels", prompt.public_id))

    def _page(
        self,
        prompt: Prompt,
        name: str,
        number: int,
        *,
        error: str = "",
        reason: str = "",
        status: int = 200,
    ) -> HttpResponse:
        version = queries.get_version(prompt, number)
        label = queries.labels_with_versions(prompt).filter(name=name).first() if name else None
        before = label.version.number if label else None
        context = self.history(
            prompt,
            before,
            number,
            label=label,
            name=name,
            version=version,
            change=_change(label, version),
            expected="" if before is None else before,
            error=error,
            reason=reason,
            action=self.address("move", prompt.public_id),
            back=self.address("history", prompt.public_id, **{"from": before or "", "to": number}),
        )
        return self.render("prompts/move.html", context, status=status)


def _change(label: Label | None, version: Any) -> str:
    if label is None or label.version.number == version.number:
        return ""
    before, after = queries.version_content(label.version), queries.version_content(version)
    return summarize(diff_versions(before, after))


class RollbackView(LabelsPage):
    """Point a label at where it stood before."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_RELEASE, "POST": Permission.PROMPTS_RELEASE}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        return self._page(queries.get_label(self.prompt, kwargs["label"]))

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        prompt = self.prompt
        name = kwargs["label"]
        try:
            label = services.rollback_label(
                actor=self.access.actor,
                prompt=prompt,
                label=name,
                expected_number=expected_number(request),
                reason=request.POST.get("reason", ""),
            )
        except (InvalidRequest, Conflict) as error:
            return self._page(queries.get_label(prompt, name), error=error.message, status=409)
        messages.success(request, f"{name} is back at v{label.version.number}.")
        return redirect(self.address("labels", prompt.public_id))

    def _page(self, label: Label, error: str = "", status: int = 200) -> HttpResponse:
        target = queries.rollback_target(self.prompt, label.name)
        version = queries.get_version(self.prompt, target) if target else None
        dialog = {
            "kind": "rollback",
            "name": label.name,
            "title": f"Roll {label.name} back to v{target}?" if target else f"{label.name} was nowhere else",
            "before": label.version.number,
            "after": target,
            "change": _change(label, version) if version else "",
            "diff": self.address(
                "history", self.prompt.public_id, **{"from": label.version.number, "to": target}
            ),
            "label": f"Roll back to v{target}" if target else "",
            "action": self.address("rollback", self.prompt.public_id, label.name),
            "error": error,
        }
        return self.page(status, dialog=dialog)


class RemoveView(LabelsPage):
    """Remove a label; its history stays."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_RELEASE, "POST": Permission.PROMPTS_RELEASE}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        return self._page(queries.get_label(self.prompt, kwargs["label"]))

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        prompt = self.prompt
        name = kwargs["label"]
        try:
            services.remove_label(
                actor=self.access.actor,
                prompt=prompt,
                label=name,
                expected_number=expected_number(request),
                reason=request.POST.get("reason", ""),
            )
        except (InvalidRequest, Conflict) as error:
            return self._page(queries.get_label(prompt, name), error=error.message, status=409)
        messages.success(request, f"{name} is removed. Its history stays.")
        return redirect(self.address("labels", prompt.public_id))

    def _page(self, label: Label, error: str = "", status: int = 200) -> HttpResponse:
        dialog = {
            "kind": "remove",
            "name": label.name,
            "title": f"Remove the label {label.name}?",
            "before": label.version.number,
            "label": f"Remove {label.name}",
            "action": self.address("remove", self.prompt.public_id, label.name),
            "error": error,
        }
        return self.page(status, dialog=dialog)


def expected_number(request: HttpRequest) -> ExpectedNumber:
    """Where the page showed the label: a number, nowhere (empty), or not said at all."""
    text = request.POST.get("expected")
    if text is None:
        return ANY
    return whole_number(text)

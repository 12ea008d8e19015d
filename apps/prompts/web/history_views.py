"""History: the timeline of versions, any two compared, and one version to read."""

from typing import Any, ClassVar, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from apps.core.errors import Conflict, InvalidRequest
from apps.core.numbers import whole_number
from apps.prompts import queries, services
from apps.prompts.diffing import diff_versions, summarize
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.web.presenting import OnePromptPage, compared
from apps.prompts.web.version_facts import snippets, version_facts
from apps.tenants.roles import Permission

VERSIONS_SHOWN: Final = 50
OPTIONS_SHOWN: Final = 200


class HistoryPage(OnePromptPage, abstract=True):
    """What the history and the dialogs over it share."""

    def history(
        self, prompt: Prompt, before: int | None, after: int | None, **more: object
    ) -> dict[str, Any]:
        """The context of the history with two versions compared; None takes the newest two."""
        labels = queries.labels_of([prompt])[prompt.pk]
        right = after or prompt.latest_number
        left = before or max(right - 1, 1)
        split = self.request.GET.get("view") != "unified"
        every_line = self.request.GET.get("lines") == "all"
        upto = whole_number(self.request.GET.get("upto", ""))
        versions = list(queries.timeline(prompt, upto=upto, limit=VERSIONS_SHOWN + 1))
        picked = {"from": left, "to": right}
        view, lines = ("" if split else "unified"), ("all" if every_line else "")
        next_number = versions[-1].number if len(versions) > VERSIONS_SHOWN else None
        return {
            **self.head(prompt, labels, "history"),
            **self._comparison(left, right, split=split, every_line=every_line),
            "figures": self.figures("analytics:history-part"),
            "items": self._timeline(prompt, versions[:VERSIONS_SHOWN], labels, left, right),
            "older": self._history(prompt, **picked, view=view, lines=lines, upto=next_number)
            if next_number
            else "",
            "every_line": every_line,
            "lines_address": self._history(
                prompt, **picked, view=view, lines="" if every_line else "all", upto=upto
            ),
            "version_options": self._options(prompt, labels, left, right),
            "left": left,
            "right": right,
            "view": "split" if split else "unified",
            "views": [
                {
                    "label": each.capitalize(),
                    "href": self._history(prompt, **picked, view=each, lines=lines, upto=upto),
                    "current": split == (each == "split"),
                }
                for each in ("split", "unified")
            ],
            "moves": self.label_menu(prompt, labels, right),
            "permalink": self._permalink(left, right),
            "restore_address": self.restore_address(right),
            **more,
        }

    def label_menu(self, prompt: Prompt, labels: dict[str, int], number: int) -> list[dict[str, str]]:
        """Links that point a label at a version; none for who may not release."""
        if not self.may(Permission.PROMPTS_RELEASE):
            return []
        names = list(labels) if "production" in labels else ["production", *labels]
        entries = [
            {
                "text": f"Move {name} to v{number}" if name in labels else f"Set {name} to v{number}",
                "note": f"now v{labels[name]}" if name in labels else "not set",
                "href": self.address("move", prompt.public_id, label=name, to=number),
            }
            for name in names
            if labels.get(name) != number
        ]
        another = self.address("move", prompt.public_id, to=number)
        return [*entries, {"text": "Another label…", "note": "", "href": another}]

    def restore_address(self, number: int) -> str:
        """Where a version is saved again as the newest; empty for the newest and for who may not edit."""
        prompt = self.prompt
        if number == prompt.latest_number or prompt.archived_at or not self.may(Permission.PROMPTS_EDIT):
            return ""
        return self.address("restore-version", prompt.public_id, number)

    def _permalink(self, left: int, right: int) -> str:
        path = self._history(self.prompt, **{"from": left, "to": right})
        return self.request.build_absolute_uri(path)

    def _history(self, prompt: Prompt, **query: object) -> str:
        return self.address("history", prompt.public_id, **query)

    def _comparison(self, left: int, right: int, *, split: bool, every_line: bool) -> dict[str, Any]:
        if left == right:
            return {"comparison": None}
        versions = [queries.get_version(self.prompt, number) for number in (left, right)]
        sections = diff_versions(*(queries.version_content(version) for version in versions))
        return {"comparison": compared(sections, split=split, every_line=every_line)}

    def _timeline(
        self,
        prompt: Prompt,
        versions: list[PromptVersion],
        labels: dict[str, int],
        left: int,
        right: int,
    ) -> list[dict[str, Any]]:
        by_number = queries.labels_by_number(labels)
        return [
            {
                "href": self.address("version", prompt.public_id, version.number),
                "title": f"v{version.number}",
                "labels": by_number.get(version.number, []),
                "text": version.message,
                "who": version.author_name,
                "at": version.created_at,
                "version": version.public_id,
                "current": version.number == right,
                "picked": "a" if version.number == left else "",
                "note": {right: "B, shown", left: "A, base"}.get(version.number, "") if left != right else "",
            }
            for version in versions
        ]

    @staticmethod
    def _options(prompt: Prompt, labels: dict[str, int], left: int, right: int) -> list[tuple[int, str]]:
        by_number = queries.labels_by_number(labels)
        return [
            (number, " · ".join([f"v{number}", *by_number.get(number, [])]))
            for number in sorted(
                {left, right, *range(prompt.latest_number, max(prompt.latest_number - OPTIONS_SHOWN, 0), -1)},
                reverse=True,
            )
        ]


class HistoryView(HistoryPage):
    """Every version, and any two compared."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_VIEW}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        prompt = self.prompt
        before, after = whole_number(request.GET.get("from", "")), whole_number(request.GET.get("to", ""))
        return self.render("prompts/history.html", self.history(prompt, before, after))


class VersionView(HistoryPage):
    """One version to read; its address stays the same for ever."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_VIEW}

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        prompt = self.prompt
        version = queries.get_version(prompt, min(kwargs["number"], 2**31 - 1))
        labels = queries.labels_of([prompt])[prompt.pk]
        number, latest = version.number, prompt.latest_number
        names = queries.labels_by_number(labels).get(number, [])
        picked = {"from": max(number - 1, 1), "to": number}
        context = {
            **self.head(prompt, labels, "history"),
            **version_facts(version),
            "version_labels": names,
            "newer": self.address("version", prompt.public_id, number + 1) if number < latest else "",
            "older": self.address("version", prompt.public_id, number - 1) if number > 1 else "",
            "compare": self.address("history", prompt.public_id, **picked),
            "restore_address": self.restore_address(number),
            "moves": self.label_menu(prompt, labels, number),
            "use": snippets(request, prompt, version, names),
        }
        return self.render("prompts/version.html", context)


class RestoreVersionView(HistoryPage):
    """Save an older version's content as the newest: a dialog over the comparison of the two."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_EDIT, "POST": Permission.PROMPTS_EDIT}

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return self._page(kwargs["number"])

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        label, prompt = request.POST.get("label", ""), self.prompt
        if label:
            self.require(Permission.PROMPTS_RELEASE)
        try:
            version = services.restore_version(
                actor=self.access.actor,
                prompt=prompt,
                number=min(kwargs["number"], 2**31 - 1),
                message=request.POST.get("message", ""),
                base_number=whole_number(request.POST.get("base_number", "")),
            )
            if label:
                services.move_label(
                    actor=self.access.actor, prompt=prompt, label=label, number=version.number
                )
        except (InvalidRequest, Conflict) as error:
            status = 409 if isinstance(error, Conflict) else 422
            return self._page(kwargs["number"], error=error.message, status=status)
        moved = f" and {label} points at it" if label else ". No label moved"
        messages.success(request, f"v{kwargs['number']} is saved again as v{version.number}{moved}.")
        return redirect(self.address("detail", prompt.public_id))

    def _page(self, number: int, error: str = "", status: int = 200) -> HttpResponse:
        prompt, data = self.prompt, self.request.POST
        version = queries.get_version(prompt, min(number, 2**31 - 1))
        latest = queries.latest_version(prompt)
        contents = [queries.version_content(each) for each in (latest, version)]
        labels = queries.labels_of([prompt])[prompt.pk]
        context = self.history(
            prompt,
            latest.number,
            version.number,
            dialog={
                "number": version.number,
                "change": summarize(diff_versions(*contents)),
                "same": contents[0] == contents[1],
                "message": data.get("message", services.restore_message(version.number)),
                "error": error,
                "action": self.address("restore-version", prompt.public_id, version.number),
                "labels": labels if self.may(Permission.PROMPTS_RELEASE) else {},
                "back": self.address(
                    "history", prompt.public_id, **{"from": latest.number, "to": version.number}
                ),
            },
        )
        return self.render("prompts/restore.html", context, status=status)

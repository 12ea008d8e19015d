"""History: the timeline of versions, any two compared, and one version to read."""

from typing import Any, ClassVar, Final

from django.http import HttpRequest, HttpResponse

from apps.core.numbers import whole_number
from apps.prompts import queries
from apps.prompts.diffing import diff_versions
from apps.prompts.json_text import pretty
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.snippets import curl_call, python_call
from apps.prompts.web.presenting import OnePromptPage, compared
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
        upto = whole_number(self.request.GET.get("upto", ""))
        versions = list(queries.timeline(prompt, upto=upto, limit=VERSIONS_SHOWN + 1))
        picked = {"from": left, "to": right}
        next_number = versions[-1].number if len(versions) > VERSIONS_SHOWN else None
        return {
            **self.head(prompt, labels, "history"),
            **self._comparison(prompt, left, right, split),
            "items": self._timeline(prompt, versions[:VERSIONS_SHOWN], labels, left, right),
            "older": self._history(prompt, **picked, upto=next_number) if next_number else "",
            "version_options": self._options(prompt, labels, left, right),
            "left": left,
            "right": right,
            "view": "split" if split else "unified",
            "views": [
                {
                    "label": view.capitalize(),
                    "href": self._history(prompt, **picked, view=view),
                    "current": split == (view == "split"),
                }
                for view in ("split", "unified")
            ],
            "moves": self.label_menu(prompt, labels, right),
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

    def _history(self, prompt: Prompt, **query: object) -> str:
        return self.address("history", prompt.public_id, **query)

    def _comparison(self, prompt: Prompt, left: int, right: int, split: bool) -> dict[str, Any]:
        if left == right:
            return {"comparison": None}
        contents = [queries.version_content(queries.get_version(prompt, number)) for number in (left, right)]
        return {"comparison": compared(diff_versions(*contents), split=split)}

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
        number = version.number
        names = queries.labels_by_number(labels).get(number, [])
        context = {
            **self.head(prompt, labels, "history"),
            "version": version,
            "blocks": [
                {"id": f"m{index}", "role": message["role"], "text": message["content"]}
                for index, message in enumerate(version.messages, 1)
            ],
            "parameters": sorted(version.parameters.items()),
            "schema": pretty(version.output_schema) if version.output_schema else "",
            "version_labels": names,
            "newer": self.address("version", prompt.public_id, number + 1)
            if number < prompt.latest_number
            else "",
            "older": self.address("version", prompt.public_id, number - 1) if number > 1 else "",
            "compare": self.address(
                "history", prompt.public_id, **{"from": max(number - 1, 1), "to": number}
            ),
            "moves": self.label_menu(prompt, labels, number),
            "snippets": _snippets(request, prompt, version, names),
        }
        return self.render("prompts/version.html", context)


def _snippets(
    request: HttpRequest, prompt: Prompt, version: PromptVersion, labels: list[str]
) -> dict[str, str]:
    """Calls of this version, by its label when it has one."""
    reference = f"{prompt.name}@{labels[0]}" if labels else f"{prompt.name}#{version.number}"
    origin = request.build_absolute_uri("/")[:-1]
    return {
        "curl": curl_call(origin, reference, version.variables),
        "python": python_call(origin, reference, version.variables),
    }

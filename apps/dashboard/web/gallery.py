"""The gallery: examples to look at and to install."""

from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from apps.core.errors import Conflict, InvalidRequest
from apps.dashboard.gallery import EXAMPLES, Example, find_example
from apps.dashboard.gallery.installing import Taken, install_example, what_exists
from apps.prompts.json_text import pretty
from apps.prompts.rendering import render
from apps.providers.queries import default_model
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView

SHOWN_CHARACTERS = 160


class GalleryPage(ProjectView, abstract=True):
    """What the gallery's pages share."""

    @property
    def may_install(self) -> bool:
        """Whether the person may make both a prompt and a dataset."""
        return self.access.can(Permission.PROMPTS_EDIT) and self.access.can(Permission.DATASETS_EDIT)


class GalleryView(GalleryPage):
    """All examples."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_VIEW}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        context = {
            "examples": [
                {
                    "title": example.title,
                    "icon": example.icon,
                    "description": example.description,
                    "use": example.use,
                    "rows": len(example.rows),
                    "variables": len(example.content.variables),
                    "answers": "JSON" if example.content.output_schema else "text",
                    "href": self.address("dashboard:example", example.key),
                }
                for example in EXAMPLES
            ]
        }
        return self.render("dashboard/gallery.html", context)


class ExampleView(GalleryPage):
    """One example as it would be installed."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_VIEW, "POST": Permission.PROMPTS_EDIT}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        example = find_example(kwargs["example"])
        return self._page(example, example.name, example.dataset)

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        self.access.require(Permission.DATASETS_EDIT)
        example = find_example(kwargs["example"])
        name, dataset = request.POST.get("name", "").strip(), request.POST.get("dataset", "").strip()
        try:
            made = install_example(
                actor=self.access.actor, project=self.project, example=example, name=name, dataset=dataset
            )
        except (Conflict, InvalidRequest) as error:
            field = "dataset" if error.param in ("dataset", "dataset_name") else "name"
            return self._page(example, name, dataset, {field: error.message}, status=422)
        rows = len(example.rows)
        messages.success(request, f"{made.prompt.name} and {rows} test rows are in your project.")
        return redirect(self.address("prompts:edit", made.prompt.public_id))

    def _page(
        self,
        example: Example,
        name: str,
        dataset: str,
        errors: dict[str, str] | None = None,
        status: int = 200,
    ) -> HttpResponse:
        content = example.content
        samples = {each["name"]: each["sample"] for each in content.variables}
        context = {
            "example": example,
            "name": name,
            "dataset": dataset,
            "errors": errors or {},
            "taken": self._taken(what_exists(self.project, name=name, dataset=dataset)),
            "may_install": self.may_install,
            "blocks": _blocks(content.messages, "m"),
            "preview": _blocks(render(content.messages, content.variables, samples), "p"),
            "variables": [_variable(each) for each in content.variables],
            "schema": pretty(content.output_schema) if content.output_schema else "",
            "columns": list(example.rows[0].variables),
            "rows": [[_short(value) for value in row.variables.values()] for row in example.rows],
            "model": default_model(self.project.pk),
        }
        return self.render("dashboard/example.html", context, status=status)

    def _taken(self, found: Taken) -> list[dict[str, str]]:
        """What stands already under the names in the form; a person sees only what they may see."""
        taken = []
        if found.prompt is not None:
            href = self.address("prompts:detail", found.prompt.public_id)
            taken.append({"text": f"There is a prompt {found.prompt.name} already.", "href": href})
        if found.dataset is not None and self.access.can(Permission.DATASETS_VIEW):
            href = self.address("datasets:list")
            taken.append({"text": f"There is a dataset {found.dataset.name} already.", "href": href})
        return taken


def _blocks(messages_: Any, prefix: str) -> list[dict[str, str]]:
    return [
        {"id": f"{prefix}{number}", "role": each["role"], "text": each["content"]}
        for number, each in enumerate(messages_, 1)
    ]


def _variable(variable: dict[str, Any]) -> dict[str, Any]:
    need = "required" if variable["required"] else "optional"
    return {
        "name": variable["name"],
        "kind": f"{variable['type']}, {need}",
        "sample": _short(variable["sample"]),
    }


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else pretty(value).replace("\n", " ")
    plain = " ".join(text.split())
    return plain if len(plain) <= SHOWN_CHARACTERS else f"{plain[:SHOWN_CHARACTERS]}…"

"""Plain values for the templates of prompts."""

from collections.abc import Iterable
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse
from django.utils.functional import cached_property

from apps.prompts import grants, queries
from apps.prompts.diffing import Gap, Line, Row, Section, Side
from apps.prompts.models import Prompt
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView


class PromptPage(ProjectView, abstract=True):
    """What every page of prompts shares: addresses, and the head of one prompt."""

    def address(self, name: str, *args: object, **query: object) -> str:
        """The address of a page of this project; empty values of the query are left out."""
        path = reverse(f"prompts:{name}", args=[self.organization.slug, self.project.slug, *args])
        given = {key: value for key, value in query.items() if value not in (None, "")}
        return f"{path}?{urlencode(given)}" if given else path


class OnePromptPage(PromptPage, abstract=True):
    """A page of the prompt in its address (``<str:prompt>``).

    It opens to whoever holds the right in the project, or by a grant on that prompt. Ask ``may``, not
    ``access.can``, what the page may offer.
    """

    @cached_property
    def prompt(self) -> Prompt:
        """The prompt of the address. Raises NotFound."""
        return queries.find_prompt(self.project, self.kwargs["prompt"])

    @cached_property
    def rights(self) -> grants.PromptRights:
        """The caller's rights on the prompt, loaded once."""
        return grants.rights_on(self.access, [self.prompt])

    def may(self, permission: str) -> bool:
        """Whether the caller holds a permission on the prompt."""
        return self.rights.can(permission, self.prompt)

    def require(self, permission: str) -> None:
        """Raises PermissionDenied naming the permission that is missing on the prompt."""
        if not self.may(permission):
            self.access.require(permission)

    def figures(self, name: str) -> str:
        """An address of analytics' facts about this prompt; empty for who may not see runs."""
        if not self.access.can(Permission.RUNS_VIEW):
            return ""
        try:
            return reverse(name, args=[self.organization.slug, self.project.slug, self.prompt.public_id])
        except NoReverseMatch:
            return ""

    def head(self, prompt: Prompt, labels: dict[str, int], current: str) -> dict[str, Any]:
        """Badges, breadcrumb and tabs of a prompt's pages."""
        folder, _, short = prompt.name.rpartition("/")
        tabs: list[tuple[str, str, int | None]] = [
            ("Overview", "detail", None),
            *([("Edit", "edit", None)] if self.may(Permission.PROMPTS_EDIT) else []),
            ("History", "history", prompt.latest_number),
            ("Labels", "labels", len(labels)),
            ("Serving", "serving", None),
        ]
        return {
            "prompt": prompt,
            "short_name": short,
            "folders": [
                {"name": name, "href": self.address("list", folder="/".join(folder.split("/")[: index + 1]))}
                for index, name in enumerate(folder.split("/"))
                if name
            ],
            "chips": [
                {"name": name, "number": number, "href": self.address("version", prompt.public_id, number)}
                for name, number in labels.items()
            ],
            "tabs": [
                {
                    "label": label,
                    "href": self.address(view, prompt.public_id),
                    "current": view == current,
                    "count": count,
                }
                for label, view, count in tabs
            ],
        }

    def allowed(self, permission: str) -> bool:
        if super().allowed(permission):
            return True
        with self.scope():
            return grants.is_granted(self.access, self.project, self.kwargs["prompt"], permission)


class SharedPromptsPage(PromptPage, abstract=True):
    """A page of many prompts, which opens to whoever holds a grant on any of them.

    Filter what it shows by ``grants.visible_prompts``. ``by_grant`` names the rights that a grant may
    stand in for.
    """

    by_grant: ClassVar[frozenset[str]] = frozenset({Permission.PROMPTS_VIEW})

    def allowed(self, permission: str) -> bool:
        if super().allowed(permission):
            return True
        if permission not in self.by_grant:
            return False
        with self.scope():
            return grants.is_granted_somewhere(self.access, self.project, permission)


def section_rows(section: Section, *, split: bool, every_line: bool = False) -> list[dict[str, Any]]:
    """A compared part as the rows of ``components/diff.html`` or of the unified table."""
    blocks = section.rows if every_line else section.blocks
    return _split_rows(blocks) if split else _unified_rows(blocks)


def _split_rows(blocks: Iterable[Row | Gap]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for block in blocks:
        if isinstance(block, Gap):
            rows.append({"hidden": len(block.rows)})
            continue
        sides = {"old": _side(block.before), "new": _side(block.after)}
        rows.append({"same": block.change == "same", **sides})
    return rows


def _unified_rows(blocks: Iterable[Row | Gap]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    run: list[Row] = []
    for block in blocks:
        if isinstance(block, Gap):
            rows += _lines(run)
            run = []
            rows.append({"hidden": len(block.rows)})
        else:
            run.append(block)
    return rows + _lines(run)


def _lines(rows: list[Row]) -> list[dict[str, Any]]:
    return [_line(line) for line in Section("", "", tuple(rows)).lines]


def _line(line: Line) -> dict[str, Any]:
    return {
        "change": line.change,
        "sign": line.sign,
        "old_number": line.before_number,
        "new_number": line.after_number,
        "parts": _parts(line.side),
    }


def _side(side: Side | None) -> dict[str, Any] | None:
    if side is None:
        return None
    return {"number": side.number, "text": side.text, "parts": _parts(side)}


def _parts(side: Side) -> list[dict[str, Any]]:
    return [{"text": piece.text, "changed": piece.changed} for piece in side.pieces]


def compared(sections: Iterable[Section], *, split: bool = True, every_line: bool = False) -> dict[str, Any]:
    """Two versions compared, as the comparison's partial reads it."""
    changed, same, added, removed = [], [], 0, 0
    for section in sections:
        if section.unchanged:
            same.append(section.title)
            continue
        added, removed = added + section.added, removed + section.removed
        changed.append(
            {
                "key": section.key,
                "title": section.title,
                "added": section.added,
                "removed": section.removed,
                "rows": section_rows(section, split=split, every_line=every_line),
            }
        )
    return {"changed": changed, "same": ", ".join(same), "added": added, "removed": removed, "split": split}

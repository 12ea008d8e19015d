"""One change of many prompts: a page that says exactly how many and asks, then does all or nothing."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect

from apps.core.errors import Conflict, InvalidRequest
from apps.core.formatting import format_number
from apps.core.tables import Asked
from apps.prompts import grants, library, services
from apps.prompts.models import Prompt
from apps.prompts.services.properties import MOST_AT_ONCE
from apps.prompts.web.listing import matching, read
from apps.prompts.web.presenting import SharedPromptsPage
from apps.tenants.roles import Permission

NAMED: Final = 8


class ChosenPage(SharedPromptsPage, abstract=True):
    """Ask about the prompts that were chosen in the list, then change them together.

    Of the chosen ones those are changed on which the caller may do so; the page says how many are left out.
    """

    by_grant: ClassVar[frozenset[str]] = frozenset({Permission.PROMPTS_EDIT})
    permissions: ClassVar = {"GET": Permission.PROMPTS_EDIT, "POST": Permission.PROMPTS_EDIT}
    template: ClassVar[str]
    verb: ClassVar[str]
    done: ClassVar[str]

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        return self._page(request.GET)

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        asked, chosen, _left_out = self._chosen(request.POST)
        try:
            asked.check_matching(chosen.count())
            changed = self.change(chosen, request.POST)
        except Conflict as error:
            return self._page(request.POST, error=error.message, status=409)
        except InvalidRequest as error:
            return self._page(request.POST, error=error.message, status=422)
        messages.info(request, self.done.format(count=_counted(changed)))
        return redirect(self._back(asked))

    def change(self, chosen: QuerySet[Prompt], data: QueryDict) -> int:
        """Do it; returns how many prompts changed."""
        raise NotImplementedError

    def more(self, chosen: QuerySet[Prompt], data: QueryDict) -> Mapping[str, Any]:
        """What the page shows beside the count."""
        return {}

    def _chosen(self, data: QueryDict) -> tuple[Asked, QuerySet[Prompt], int]:
        visible = grants.visible_prompts(self.access, Prompt.objects.filter(project=self.project))
        asked = read(data, visible)
        seen = asked.selected(grants.visible_prompts(self.access, matching(self.project, asked)))
        chosen = grants.visible_prompts(self.access, seen, Permission.PROMPTS_EDIT)
        may_all = self.access.can(Permission.PROMPTS_EDIT)
        return asked, chosen, 0 if may_all else seen.count() - chosen.count()

    def _page(self, data: QueryDict, error: str = "", status: int = 200) -> HttpResponse:
        asked, chosen, left_out = self._chosen(data)
        count = chosen.count()
        context: dict[str, Any] = {
            "asked": asked,
            "count": count,
            "title": f"{self.verb} {_counted(count)}",
            "left_out": left_out,
            "too_many": MOST_AT_ONCE if count > MOST_AT_ONCE else 0,
            "named": list(chosen.order_by("name").values_list("name", flat=True)[:NAMED]),
            "unnamed": max(count - NAMED, 0),
            "back": self._back(asked),
            "error": error,
            **self.more(chosen, data),
        }
        return self.render(self.template, context, status=status)

    def _back(self, asked: Asked) -> str:
        return f"{self.address('list')}{asked.address()}"


class TagChosenView(ChosenPage):
    """Give the chosen prompts tags, or take some away."""

    template = "prompts/bulk_tag.html"
    verb = "Tag"
    done = "The tags of {count} changed."

    def change(self, chosen: QuerySet[Prompt], data: QueryDict) -> int:
        add, remove = data.get("add", "").split(","), [*data.getlist("remove"), ""]
        return services.tag_prompts(actor=self.access.actor, prompts=chosen, add=add, remove=remove)

    def more(self, chosen: QuerySet[Prompt], data: QueryDict) -> Mapping[str, Any]:
        visible = grants.visible_prompts(self.access, Prompt.objects.filter(project=self.project))
        return {
            "add": data.get("add", ""),
            "removed": data.getlist("remove"),
            "tags": library.tags_of(chosen),
            "known_tags": library.tags_of(visible),
        }


class MoveChosenView(ChosenPage):
    """Put the chosen prompts into another folder."""

    template = "prompts/bulk_move.html"
    verb = "Move"
    done = "{count} moved."

    def change(self, chosen: QuerySet[Prompt], data: QueryDict) -> int:
        return services.move_prompts(
            actor=self.access.actor, prompts=chosen, folder=data.get("to_folder", "")
        )

    def more(self, chosen: QuerySet[Prompt], data: QueryDict) -> Mapping[str, Any]:
        visible = grants.visible_prompts(self.access, Prompt.objects.filter(project=self.project))
        return {"to_folder": data.get("to_folder", ""), "folders": library.all_folders(visible)}


class ArchiveChosenView(ChosenPage):
    """Put the chosen prompts into the archive."""

    template = "prompts/bulk_archive.html"
    verb = "Archive"
    done = "{count} archived. Programs get them as before."

    def change(self, chosen: QuerySet[Prompt], data: QueryDict) -> int:
        return services.archive_prompts(actor=self.access.actor, prompts=chosen)


class RestoreChosenView(ChosenPage):
    """Take the chosen prompts out of the archive."""

    template = "prompts/bulk_restore.html"
    verb = "Restore"
    done = "{count} taken out of the archive."

    def change(self, chosen: QuerySet[Prompt], data: QueryDict) -> int:
        return services.restore_prompts(actor=self.access.actor, prompts=chosen)


def _counted(count: int) -> str:
    return f"{format_number(count)} prompt{'' if count == 1 else 's'}"

"""Which prompts name a connection's models: a part of the question whether to delete it."""

from typing import ClassVar

from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse

from apps.prompts.models import Prompt
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView

MOST_NAMED = 10


class ConnectionUsersView(ProjectView):
    """The prompts whose newest or labelled version names a model of the connection."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_VIEW}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        connection = request.GET.get("connection", "")[:40]
        begins = f"{connection}/"
        newest = Q(versions__number=F("latest_number"), versions__model__startswith=begins)
        labelled = Q(labels__version__model__startswith=begins)
        found = Prompt.objects.filter(project=self.project, archived_at__isnull=True)
        prompts = found.filter(newest | labelled).order_by("name").distinct()
        context = {"count": prompts.count(), "prompts": prompts[:MOST_NAMED], "connection": connection}
        is_part = bool(request.headers.get("HX-Request"))
        template = "prompts/connection_users_part.html" if is_part else "prompts/connection_users.html"
        return self.render(template, context)

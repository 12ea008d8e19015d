"""The staff style guide."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.core.errors import NotFound
from apps.dashboard.specimens import specimen_context
from apps.tenants.web.base import SignedInView


class StyleguideView(SignedInView):
    """Every component in both themes. Staff only; to others it does not exist."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Answer with the guide. Raises NotFound for everyone else."""
        if not self.user.is_staff:
            raise NotFound("There is no such page.")
        return render(request, "dashboard/styleguide.html", specimen_context())

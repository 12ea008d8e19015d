"""The reader's own choices."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme

from apps.tenants.access import user_actor
from apps.tenants.services import set_theme
from apps.tenants.web.base import SignedInView


class ThemeView(SignedInView):
    """Stores light, dark or the system's own, then returns to the page."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """Store the choice and redirect to `next` on this host."""
        set_theme(actor=user_actor(self.user), user=self.user, theme=request.POST.get("theme", ""))
        target = request.POST.get("next", "")
        safe = url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()})
        return HttpResponseRedirect(target if safe else settings.LOGIN_REDIRECT_URL)

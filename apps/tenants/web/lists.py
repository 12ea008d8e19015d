"""The form in every list's head that chooses its columns."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from apps.core.request_id import current_request_id
from apps.tenants import services
from apps.tenants.access import user_actor
from apps.tenants.entrance import client_ip
from apps.tenants.web.base import SignedInView, safe_path


class ColumnsView(SignedInView):
    """``/profile/tables/<key>/``: keep the choice, then back to the list as it was."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, key: str) -> HttpResponse:
        actor = user_actor(self.user, ip=client_ip(request), request_id=current_request_id())
        usual = "usual" in request.POST
        columns = None if usual else request.POST.getlist("column")
        services.choose_columns(actor=actor, user=self.user, table=key, columns=columns)
        return redirect(safe_path(request, request.POST.get("next", "")))

"""allauth's pages of second factors in our look; every change and every refusal goes into the audit trail."""

import base64
from typing import Any

from allauth.account import views as account_views
from allauth.account.models import Login
from allauth.account.utils import get_next_redirect_url
from allauth.mfa.base import views as code_views
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes import views as recovery_views
from allauth.mfa.totp import views as totp_views
from allauth.mfa.webauthn import views as passkey_views
from allauth.mfa.webauthn.internal import auth as passkey_auth
from allauth.mfa.webauthn.internal import flows as passkey_flows
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import IntegrityError, transaction
from django.forms import Form
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import urlencode

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core.request_id import current_request_id
from apps.tenants.access import organizations_asking_for_mfa, user_actor
from apps.tenants.account_queries import second_factors_of
from apps.tenants.entrance import client_ip
from apps.tenants.models import User
from apps.tenants.services import accounts

METHODS = ["get", "head", "post"]


def _actor(request: HttpRequest, user: User) -> Actor:
    return user_actor(user, ip=client_ip(request), request_id=current_request_id())


def _refused(request: HttpRequest, user: User, form: Form) -> None:
    reason = "; ".join(str(error) for errors in form.errors.values() for error in errors)
    audit.record_refused(
        actor=_actor(request, user),
        action="second_factor.refused",
        target=user,
        organization_id=None,
        reason=reason,
    )


class _Onward:
    """Carries ``next`` through a set-up: to the recovery codes, and from there to where it began."""

    request: Any

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)  # type: ignore[misc]
        return context | {"onward": get_next_redirect_url(self.request) or ""}

    def get_success_url(self) -> str:
        onward = get_next_redirect_url(self.request)
        if getattr(self, "did_generate_recovery_codes", False):
            return reverse("mfa_view_recovery_codes") + (f"?{urlencode({'next': onward})}" if onward else "")
        return onward or reverse("tenants:security")


@method_decorator(login_required, name="dispatch")
class FactorsView(account_views.TemplateView):  # type: ignore[misc]
    """Where allauth would list the factors; ours are on the page of the account's security."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return redirect("tenants:security")


class AuthenticateView(code_views.AuthenticateView):  # type: ignore[misc]
    """The second step of signing in: a code, a recovery code or a passkey."""

    http_method_names = METHODS

    def form_valid(self, form: Any) -> HttpResponse:
        row = getattr(form, "authenticator", None)
        if row is not None and row.type == Authenticator.Type.RECOVERY_CODES:
            user = self.stage.login.user
            accounts.note_recovery_code_used(
                actor=_actor(self.request, user), user=user, left=len(row.wrap().get_unused_codes())
            )
        response: HttpResponse = super().form_valid(form)
        return response

    def form_invalid(self, form: Any) -> HttpResponse:
        _refused(self.request, self.stage.login.user, form)
        response: HttpResponse = super().form_invalid(form)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"factors": second_factors_of(self.stage.login.user)}


class ReauthenticateView(code_views.ReauthenticateView):  # type: ignore[misc]
    """A code to confirm that it is still the same person."""

    http_method_names = METHODS

    def form_invalid(self, form: Any) -> HttpResponse:
        _refused(self.request, self.request.user, form)
        response: HttpResponse = super().form_invalid(form)
        return response


class ReauthenticatePasskeyView(passkey_views.ReauthenticateWebAuthnView):  # type: ignore[misc]
    """A passkey to confirm that it is still the same person."""

    http_method_names = METHODS

    def form_invalid(self, form: Any) -> HttpResponse:
        _refused(self.request, self.request.user, form)
        # Not the parent's, which leads to sign-in: the person is signed in.
        response: HttpResponse = self.render_to_response(self.get_context_data(form=form))
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | kwargs


class ActivateAppView(_Onward, totp_views.ActivateTOTPView):  # type: ignore[misc]
    """Turn an authenticator app on."""

    http_method_names = METHODS

    def form_valid(self, form: Any) -> HttpResponse:
        user = self.request.user
        try:
            with transaction.atomic():
                response: HttpResponse = super().form_valid(form)
                accounts.note_second_factor_added(actor=_actor(self.request, user), user=user, kind="totp")
        except IntegrityError:
            # The form was sent twice, and the first one has turned it on.
            return redirect("tenants:security")
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        secret = context["form"].secret
        context["secret"] = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
        return context


class DeactivateAppView(totp_views.DeactivateTOTPView):  # type: ignore[misc]
    """Turn the authenticator app off."""

    http_method_names = METHODS

    def get_success_url(self) -> str:
        return reverse("tenants:security")

    def form_valid(self, form: Any) -> HttpResponse:
        user = self.request.user
        with transaction.atomic():
            response: HttpResponse = super().form_valid(form)
            accounts.note_second_factor_removed(actor=_actor(self.request, user), user=user, kind="totp")
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        factors = second_factors_of(self.request.user)
        last = not factors.passkeys
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | _consequences(self.request.user, last=last)


class RecoveryCodesView(recovery_views.ViewRecoveryCodesView):  # type: ignore[misc]
    """Recovery codes, this one time; afterwards only how many are left."""

    http_method_names = ["get", "head"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        user = request.user
        if isinstance(user, User) and second_factors_of(user).recovery_codes is None:
            return redirect("tenants:security")
        response: HttpResponse = super().dispatch(request, *args, **kwargs)
        response.headers["Cache-Control"] = "no-store"
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        if context["can_view_codes"]:
            text = _codes_text(self.request.user, context["unused_codes"])
            encoded = base64.b64encode(text.encode()).decode()
            context["download"] = f"data:text/plain;charset=utf-8;base64,{encoded}"
        context["left"] = len(context["unused_codes"])
        context["onward"] = get_next_redirect_url(self.request) or ""
        return context


class MakeRecoveryCodesView(recovery_views.GenerateRecoveryCodesView):  # type: ignore[misc]
    """Make new recovery codes; the old ones end."""

    http_method_names = METHODS

    def form_valid(self, form: Any) -> HttpResponse:
        user = self.request.user
        with transaction.atomic():
            response: HttpResponse = super().form_valid(form)
            accounts.note_recovery_codes_made(actor=_actor(self.request, user), user=user)
        return response


class AddPasskeyView(_Onward, passkey_views.AddWebAuthnView):  # type: ignore[misc]
    """Register a passkey."""

    http_method_names = METHODS

    def form_valid(self, form: Any) -> HttpResponse:
        user = self.request.user
        with transaction.atomic():
            response: HttpResponse = super().form_valid(form)
            accounts.note_second_factor_added(
                actor=_actor(self.request, user), user=user, kind="webauthn", name=form.cleaned_data["name"]
            )
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        # The parent forgets the form that was refused.
        return super().get_context_data(**kwargs) | kwargs


class RenamePasskeyView(passkey_views.EditWebAuthnView):  # type: ignore[misc]
    """Give a passkey another name."""

    http_method_names = METHODS

    def get_success_url(self) -> str:
        return reverse("tenants:security")

    def form_valid(self, form: Any) -> HttpResponse:
        user, before = self.request.user, self.get_object().wrap().name
        with transaction.atomic():
            response: HttpResponse = super().form_valid(form)
            accounts.note_passkey_renamed(
                actor=_actor(self.request, user), user=user, before=before, after=form.cleaned_data["name"]
            )
        return response


class RemovePasskeyView(passkey_views.RemoveWebAuthnView):  # type: ignore[misc]
    """Remove a passkey."""

    http_method_names = METHODS

    def get_success_url(self) -> str:
        return reverse("tenants:security")

    def form_valid(self, form: Any) -> HttpResponse:
        user, name = self.request.user, self.get_object().wrap().name
        with transaction.atomic():
            response: HttpResponse = super().form_valid(form)
            accounts.note_second_factor_removed(
                actor=_actor(self.request, user), user=user, kind="webauthn", name=name
            )
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        factors = second_factors_of(self.request.user)
        last = factors.app_since is None and len(factors.passkeys) == 1
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | _consequences(self.request.user, last=last)


class PasskeySignInView(passkey_views.LoginWebAuthnView):  # type: ignore[misc]
    """Sign in with a passkey alone: GET gives the challenge, POST takes the answer."""

    http_method_names = METHODS

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        options = passkey_auth.begin_authentication(user=None)
        return JsonResponse({"request_options": options}, headers={"Cache-Control": "no-store"})

    def form_valid(self, form: Any) -> HttpResponse:
        authenticator = form.cleaned_data["credential"]
        login = Login(user=authenticator.user, redirect_url=get_next_redirect_url(self.request))
        response: HttpResponse = passkey_flows.perform_passwordless_login(self.request, authenticator, login)
        return response

    def form_invalid(self, form: Any) -> HttpResponse:
        audit.record_refused(
            actor=Actor(kind="user", id=None, role="", display="", ip=client_ip(self.request)),
            action="session.refused",
            organization_id=None,
            reason="the passkey was not accepted",
        )
        for error in form.errors.get("credential", []):
            messages.error(self.request, error)
        return redirect("account_login")


def _consequences(user: User, *, last: bool) -> dict[str, Any]:
    """What the end of a factor means: without any, some organizations let their member in no more."""
    return {"last": last, "asking": organizations_asking_for_mfa(user) if last else []}


def _codes_text(user: User, codes: list[str]) -> str:
    head = f"Recovery codes of {user.email} for promptsaas. Each works once, in place of a code of your app."
    return "\r\n".join([head, "", *codes, ""])

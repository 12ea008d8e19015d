"""Addresses of second factors under ``accounts/2fa/``, by the names that allauth leads to."""

from django.urls import path

from apps.tenants.web import mfa_views as views

urlpatterns = [
    path("", views.FactorsView.as_view(), name="mfa_index"),
    path("authenticate/", views.AuthenticateView.as_view(), name="mfa_authenticate"),
    path("reauthenticate/", views.ReauthenticateView.as_view(), name="mfa_reauthenticate"),
    path("totp/activate/", views.ActivateAppView.as_view(), name="mfa_activate_totp"),
    path("totp/deactivate/", views.DeactivateAppView.as_view(), name="mfa_deactivate_totp"),
    path("recovery-codes/", views.RecoveryCodesView.as_view(), name="mfa_view_recovery_codes"),
    path(
        "recovery-codes/generate/", views.MakeRecoveryCodesView.as_view(), name="mfa_generate_recovery_codes"
    ),
    path("webauthn/add/", views.AddPasskeyView.as_view(), name="mfa_add_webauthn"),
    path("webauthn/login/", views.PasskeySignInView.as_view(), name="mfa_login_webauthn"),
    path(
        "webauthn/reauthenticate/",
        views.ReauthenticatePasskeyView.as_view(),
        name="mfa_reauthenticate_webauthn",
    ),
    path("webauthn/keys/<int:pk>/edit/", views.RenamePasskeyView.as_view(), name="mfa_edit_webauthn"),
    path("webauthn/keys/<int:pk>/remove/", views.RemovePasskeyView.as_view(), name="mfa_remove_webauthn"),
]

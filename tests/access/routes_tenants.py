"""Rows of tenants and of sign-in."""

from apps.tenants.roles import ANY_MEMBER, Permission
from tests.access.matrix import ANY_METHOD, PUBLIC, SIGNED_IN, Route, public_id

_PROJECT = "<slug:organization>/<slug:project>"

FILLS = {
    "key": lambda project: public_id("tenants.APIKey", project),
    "event": lambda project: public_id("audit.AuditEvent", project),
}

ROUTES = (
    Route("GET", "", SIGNED_IN),
    Route("GET", "new/", SIGNED_IN),
    Route("POST", "new/", SIGNED_IN),
    Route("POST", "theme/", SIGNED_IN),
    Route("GET", "profile/", SIGNED_IN),
    Route("POST", "profile/", SIGNED_IN),
    Route("GET", "profile/security/", SIGNED_IN),
    Route("POST", "profile/security/sessions/end/", SIGNED_IN),
    Route(
        "POST",
        "profile/security/sessions/<str:session>/end/",
        SIGNED_IN,
        example="profile/security/sessions/none/end/",
    ),
    Route("GET", "<slug:organization>/settings/audit/", Permission.AUDIT_VIEW),
    Route("GET", "<slug:organization>/settings/audit/<str:event>/", Permission.AUDIT_VIEW),
    Route("GET", "api/v1/audit_events", Permission.AUDIT_VIEW),
    Route("GET", "api/v1/audit_events/<str:event>", Permission.AUDIT_VIEW),
    Route("POST", "<slug:organization>/settings/mfa/", Permission.ORGANIZATION_MANAGE),
    Route("POST", "<slug:organization>/settings/limits/", Permission.ORGANIZATION_MANAGE),
    Route("POST", "profile/tables/<slug:key>/", SIGNED_IN, example="profile/tables/batches/"),
    Route("GET", "<slug:organization>/", ANY_MEMBER),
    Route("GET", "<slug:organization>/new/", Permission.ORGANIZATION_MANAGE),
    Route("POST", "<slug:organization>/new/", Permission.ORGANIZATION_MANAGE),
    Route("GET", f"{_PROJECT}/settings/keys/", Permission.KEYS_VIEW),
    Route("GET", f"{_PROJECT}/settings/keys/new/", Permission.KEYS_MANAGE),
    Route("POST", f"{_PROJECT}/settings/keys/new/", Permission.KEYS_MANAGE),
    Route("GET", f"{_PROJECT}/settings/keys/<str:key>/edit/", Permission.KEYS_MANAGE),
    Route("POST", f"{_PROJECT}/settings/keys/<str:key>/edit/", Permission.KEYS_MANAGE),
    Route("GET", f"{_PROJECT}/settings/keys/<str:key>/rotate/", Permission.KEYS_MANAGE),
    Route("POST", f"{_PROJECT}/settings/keys/<str:key>/rotate/", Permission.KEYS_MANAGE),
    Route("GET", f"{_PROJECT}/settings/keys/<str:key>/revoke/", Permission.KEYS_MANAGE),
    Route("POST", f"{_PROJECT}/settings/keys/<str:key>/revoke/", Permission.KEYS_MANAGE),
    Route("GET", "api/v1/me", ANY_MEMBER),
    Route("GET", "api/v1/organization", ANY_MEMBER),
    Route("PATCH", "api/v1/organization", Permission.ORGANIZATION_MANAGE),
    Route("GET", "api/v1/projects", ANY_MEMBER),
    Route("POST", "api/v1/projects", Permission.ORGANIZATION_MANAGE),
    Route("GET", "api/v1/keys", Permission.KEYS_VIEW),
    Route("POST", "api/v1/keys", Permission.KEYS_MANAGE),
    Route("GET", "api/v1/keys/<str:key>", Permission.KEYS_VIEW),
    Route("PATCH", "api/v1/keys/<str:key>", Permission.KEYS_MANAGE),
    Route("DELETE", "api/v1/keys/<str:key>", Permission.KEYS_MANAGE),
    Route("POST", "api/v1/keys/<str:key>/rotate", Permission.KEYS_MANAGE),
    Route(ANY_METHOD, "accounts/login/", PUBLIC),
    Route(ANY_METHOD, "accounts/logout/", PUBLIC),
    Route(ANY_METHOD, "accounts/inactive/", PUBLIC),
    Route(ANY_METHOD, "accounts/signup/", PUBLIC),
    Route(ANY_METHOD, "accounts/reauthenticate/", SIGNED_IN),
    Route(ANY_METHOD, "accounts/email/", SIGNED_IN),
    Route(ANY_METHOD, "accounts/confirm-email/", PUBLIC),
    Route(ANY_METHOD, "accounts/password/change/", SIGNED_IN),
    Route(ANY_METHOD, "accounts/password/set/", SIGNED_IN),
    Route(ANY_METHOD, "accounts/password/reset/", PUBLIC),
    # Signing in by code is off: without one on its way the address only leads to sign-in.
    Route(ANY_METHOD, "accounts/login/code/confirm/", SIGNED_IN),
    Route(
        ANY_METHOD,
        r"accounts/^confirm-email/(?P<key>[-:\w]+)/$",
        PUBLIC,
        example="accounts/confirm-email/none/",
    ),
    Route(ANY_METHOD, "accounts/password/reset/key/done/", PUBLIC),
    Route(
        ANY_METHOD,
        r"accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        PUBLIC,
        example="accounts/password/reset/key/0-none/",
    ),
    Route(ANY_METHOD, "accounts/password/reset/done/", PUBLIC),
    Route("GET", "accounts/2fa/", SIGNED_IN),
    # Without a sign-in that waits for its second step these only lead to sign-in.
    Route("GET", "accounts/2fa/authenticate/", SIGNED_IN),
    Route("POST", "accounts/2fa/authenticate/", SIGNED_IN),
    Route("GET", "accounts/2fa/reauthenticate/", SIGNED_IN),
    Route("POST", "accounts/2fa/reauthenticate/", SIGNED_IN),
    Route("GET", "accounts/2fa/totp/activate/", SIGNED_IN),
    Route("POST", "accounts/2fa/totp/activate/", SIGNED_IN),
    Route("GET", "accounts/2fa/totp/deactivate/", SIGNED_IN),
    Route("POST", "accounts/2fa/totp/deactivate/", SIGNED_IN),
    Route("GET", "accounts/2fa/recovery-codes/", SIGNED_IN),
    Route("GET", "accounts/2fa/recovery-codes/generate/", SIGNED_IN),
    Route("POST", "accounts/2fa/recovery-codes/generate/", SIGNED_IN),
    Route("GET", "accounts/2fa/webauthn/add/", SIGNED_IN),
    Route("POST", "accounts/2fa/webauthn/add/", SIGNED_IN),
    Route("GET", "accounts/2fa/webauthn/login/", PUBLIC),
    # A passkey that isn't accepted leads back to sign-in.
    Route("POST", "accounts/2fa/webauthn/login/", SIGNED_IN),
    Route("GET", "accounts/2fa/webauthn/reauthenticate/", SIGNED_IN),
    Route("POST", "accounts/2fa/webauthn/reauthenticate/", SIGNED_IN),
    *(
        Route(
            method,
            f"accounts/2fa/webauthn/keys/<int:pk>/{what}/",
            SIGNED_IN,
            example=f"accounts/2fa/webauthn/keys/1/{what}/",
        )
        for method in ("GET", "POST")
        for what in ("edit", "remove")
    ),
)

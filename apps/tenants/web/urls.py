"""Addresses of tenants' pages. Organization and project always stand in the path."""

from django.urls import path

from apps.tenants.web import lists, mfa_rule, profile_views, views

app_name = "tenants"

urlpatterns = [
    path("", views.StartView.as_view(), name="start"),
    path("new/", views.NewOrganizationView.as_view(), name="new"),
    path("profile/tables/<slug:key>/", lists.ColumnsView.as_view(), name="columns"),
    path("profile/", profile_views.ProfileView.as_view(), name="profile"),
    path("profile/security/", profile_views.SecurityView.as_view(), name="security"),
    path("profile/security/sessions/end/", profile_views.EndOtherSessionsView.as_view(), name="end-sessions"),
    path(
        "profile/security/sessions/<str:session>/end/",
        profile_views.EndSessionView.as_view(),
        name="end-session",
    ),
    path("theme/", views.ThemeView.as_view(), name="theme"),
    path("<slug:organization>/", views.OrganizationStartView.as_view(), name="organization"),
    path("<slug:organization>/settings/mfa/", mfa_rule.MfaRuleView.as_view(), name="mfa-rule"),
    path("<slug:organization>/new/", views.NewProjectView.as_view(), name="new-project"),
    path("<slug:organization>/<slug:project>/settings/keys/", views.KeysView.as_view(), name="keys"),
    path("<slug:organization>/<slug:project>/settings/keys/new/", views.NewKeyView.as_view(), name="new-key"),
    path(
        "<slug:organization>/<slug:project>/settings/keys/<str:key>/revoke/",
        views.RevokeKeyView.as_view(),
        name="revoke-key",
    ),
]

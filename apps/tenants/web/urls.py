"""Addresses of tenants' pages. Organization and project always stand in the path."""

from django.urls import path

from apps.tenants.web import lists, views

app_name = "tenants"

urlpatterns = [
    path("", views.StartView.as_view(), name="start"),
    path("new/", views.NewOrganizationView.as_view(), name="new"),
    path("profile/tables/<slug:key>/", lists.ColumnsView.as_view(), name="columns"),
    path("theme/", views.ThemeView.as_view(), name="theme"),
    path("<slug:organization>/", views.OrganizationStartView.as_view(), name="organization"),
    path("<slug:organization>/new/", views.NewProjectView.as_view(), name="new-project"),
    path("<slug:organization>/<slug:project>/settings/keys/", views.KeysView.as_view(), name="keys"),
    path("<slug:organization>/<slug:project>/settings/keys/new/", views.NewKeyView.as_view(), name="new-key"),
    path(
        "<slug:organization>/<slug:project>/settings/keys/<str:key>/revoke/",
        views.RevokeKeyView.as_view(),
        name="revoke-key",
    ),
]

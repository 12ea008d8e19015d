"""Addresses of policies, holds and purges."""

from django.urls import URLPattern, path

from apps.retention.web import hold_views, policy_views, run_views

_PRIVACY = "<slug:organization>/settings/privacy/"

urlpatterns: list[URLPattern] = [
    path(_PRIVACY, policy_views.PolicyView.as_view(), name="policy"),
    path(f"{_PRIVACY}due/", policy_views.DryRunPanel.as_view(), name="dry-run"),
    path(f"{_PRIVACY}purge/", policy_views.PurgeView.as_view(), name="purge"),
    path(f"{_PRIVACY}classes/<str:data_class>/", policy_views.ClassView.as_view(), name="class"),
    path(f"{_PRIVACY}holds/", hold_views.HoldsView.as_view(), name="holds"),
    path(f"{_PRIVACY}holds/new/", hold_views.NewHoldView.as_view(), name="new-hold"),
    path(f"{_PRIVACY}holds/<str:hold>/release/", hold_views.ReleaseHoldView.as_view(), name="release-hold"),
    path(
        "<slug:organization>/<slug:project>/retention/runs/<str:run>/",
        run_views.RunRetentionPanel.as_view(),
        name="run",
    ),
]

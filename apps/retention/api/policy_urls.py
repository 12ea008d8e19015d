"""Addresses of policies and holds."""

from django.urls import URLPattern, path

from apps.retention.api import holds, policies

urlpatterns: list[URLPattern] = [
    path("retention_policies", policies.RetentionPoliciesAPIView.as_view(), name="policies"),
    # Before the name of a class, which it can't be.
    path("retention_policies/dry_run", policies.DryRunAPIView.as_view(), name="dry-run"),
    path(
        "retention_policies/<str:data_class>",
        policies.RetentionPolicyAPIView.as_view(),
        name="retention-policy",
    ),
    path("runs/<str:run>/retention", policies.RunRetentionAPIView.as_view(), name="run-retention"),
    path("legal_holds", holds.LegalHoldsAPIView.as_view(), name="legal-holds"),
    path("legal_holds/<str:hold>", holds.LegalHoldAPIView.as_view(), name="legal-hold"),
    path("legal_holds/<str:hold>/release", holds.ReleaseHoldAPIView.as_view(), name="release-legal-hold"),
]

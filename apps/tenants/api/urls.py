"""Addresses of tenants' API, under ``/api/v1/``."""

from django.urls import path

from apps.tenants.api import audit_views, people_views, views

app_name = "tenants-api"

urlpatterns = [
    path("me", views.MeView.as_view(), name="me"),
    path("organization", views.OrganizationAPIView.as_view(), name="organization"),
    path("projects", views.ProjectsAPIView.as_view(), name="projects"),
    path("members", people_views.MembersAPIView.as_view(), name="members"),
    path("members/<str:member>", people_views.MemberAPIView.as_view(), name="member"),
    path("invitations", people_views.InvitationsAPIView.as_view(), name="invitations"),
    path("invitations/<str:invitation>", people_views.InvitationAPIView.as_view(), name="invitation"),
    path(
        "invitations/<str:invitation>/resend",
        people_views.InvitationResendAPIView.as_view(),
        name="resend-invitation",
    ),
    path("roles", people_views.RolesAPIView.as_view(), name="roles"),
    path("roles/<str:role>", people_views.RoleAPIView.as_view(), name="role"),
    path("grants", people_views.GrantsAPIView.as_view(), name="grants"),
    path("grants/<str:grant>", people_views.GrantAPIView.as_view(), name="grant"),
    path("audit_events", audit_views.AuditEventsAPIView.as_view(), name="audit-events"),
    path("audit_events/<str:event>", audit_views.AuditEventAPIView.as_view(), name="audit-event"),
    path("keys", views.KeysAPIView.as_view(), name="keys"),
    path("keys/<str:key>", views.KeyAPIView.as_view(), name="key"),
    path("keys/<str:key>/rotate", views.RotateKeyAPIView.as_view(), name="rotate-key"),
]

"""Addresses of tenants' pages. Organization and project always stand in the path."""

from django.urls import path

from apps.tenants.web import (
    audit_views,
    invitations,
    join,
    keys,
    lists,
    members,
    mfa_rule,
    profile_views,
    project_settings,
    roles,
    settings,
    views,
)

app_name = "tenants"

SETTINGS = "<slug:organization>/settings/"

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
    path("invitations/<str:token>/", join.JoinView.as_view(), name="invitation"),
    path("<slug:organization>/", views.OrganizationStartView.as_view(), name="organization"),
    path("<slug:organization>/settings/audit/", audit_views.AuditView.as_view(), name="audit"),
    path(
        "<slug:organization>/settings/audit/<str:event>/",
        audit_views.AuditEventView.as_view(),
        name="audit-event",
    ),
    path("<slug:organization>/settings/mfa/", mfa_rule.MfaRuleView.as_view(), name="mfa-rule"),
    path(SETTINGS, settings.SettingsView.as_view(), name="settings"),
    path(f"{SETTINGS}limits/", settings.LimitsView.as_view(), name="limits"),
    path(f"{SETTINGS}leave/", settings.LeaveView.as_view(), name="leave"),
    path(f"{SETTINGS}transfer/", settings.TransferView.as_view(), name="transfer"),
    path(f"{SETTINGS}members/", members.MembersView.as_view(), name="members"),
    path(f"{SETTINGS}members/invite/", invitations.InviteView.as_view(), name="invite"),
    path(f"{SETTINGS}members/<str:member>/role/", members.MemberRoleView.as_view(), name="member-role"),
    path(f"{SETTINGS}members/<str:member>/remove/", members.RemoveMemberView.as_view(), name="remove-member"),
    path(
        f"{SETTINGS}invitations/<str:invitation>/resend/",
        invitations.ResendInvitationView.as_view(),
        name="resend-invitation",
    ),
    path(
        f"{SETTINGS}invitations/<str:invitation>/revoke/",
        invitations.RevokeInvitationView.as_view(),
        name="revoke-invitation",
    ),
    path(f"{SETTINGS}roles/", roles.RolesView.as_view(), name="roles"),
    path(f"{SETTINGS}roles/new/", roles.NewRoleView.as_view(), name="new-role"),
    path(f"{SETTINGS}roles/<str:role>/", roles.RoleView.as_view(), name="role"),
    path(f"{SETTINGS}roles/<str:role>/delete/", roles.DeleteRoleView.as_view(), name="delete-role"),
    path("<slug:organization>/new/", views.NewProjectView.as_view(), name="new-project"),
    path(
        "<slug:organization>/<slug:project>/settings/",
        project_settings.ProjectSettingsView.as_view(),
        name="project",
    ),
    path(
        "<slug:organization>/<slug:project>/settings/access/",
        project_settings.ProjectAccessView.as_view(),
        name="project-access",
    ),
    path("<slug:organization>/<slug:project>/settings/keys/", keys.KeysView.as_view(), name="keys"),
    path("<slug:organization>/<slug:project>/settings/keys/new/", keys.NewKeyView.as_view(), name="new-key"),
    path(
        "<slug:organization>/<slug:project>/settings/keys/<str:key>/edit/",
        keys.EditKeyView.as_view(),
        name="edit-key",
    ),
    path(
        "<slug:organization>/<slug:project>/settings/keys/<str:key>/rotate/",
        keys.RotateKeyView.as_view(),
        name="rotate-key",
    ),
    path(
        "<slug:organization>/<slug:project>/settings/keys/<str:key>/revoke/",
        keys.RevokeKeyView.as_view(),
        name="revoke-key",
    ),
]

"""Staff pages: read-only, except actions that call services and so are audited."""

from allauth.account.decorators import secure_admin_login
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.http import HttpRequest

from apps.audit.actor import Actor
from apps.core.admin import ReadOnlyAdmin
from apps.core.request_id import current_request_id
from apps.core.scope import organization_scope
from apps.tenants import services
from apps.tenants.entrance import client_ip
from apps.tenants.models import (
    APIKey,
    CustomRole,
    Invitation,
    Membership,
    Organization,
    Project,
    ProjectUserObjectPermission,
    User,
    UserSession,
)
from apps.tenants.services import accounts

# Staff sign in where everybody does, so there is one place where sessions begin.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]


def staff_actor(request: HttpRequest) -> Actor:
    """The actor that a member of staff acts as in the admin."""
    user = request.user
    if not isinstance(user, User):
        raise TypeError("the admin is for signed-in staff")
    return Actor(
        kind="staff",
        id=user.id,
        role="staff",
        display=user.display_name,
        ip=client_ip(request),
        request_id=current_request_id(),
    )


@admin.register(User)
class UserAdmin(ReadOnlyAdmin):
    """People; their passwords' hashes stay hidden."""

    content_fields = ("password",)
    list_display = ("email", "name", "is_active", "is_staff", "date_joined", "last_login")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email", "name")
    ordering = ("-id",)
    actions = ("deactivate", "remove_second_factors")

    @admin.action(description="Deactivate", permissions=["operate"])
    def deactivate(self, request: HttpRequest, rows: list[User]) -> None:
        """Shut the selected users out, with all their sessions and API keys."""
        for user in rows:
            services.deactivate_user(actor=staff_actor(request), user=user)

    @admin.action(description="Remove second factors (the person has lost them)", permissions=["operate"])
    def remove_second_factors(self, request: HttpRequest, rows: list[User]) -> None:
        """Let the selected users sign in with their password alone again; each is told by mail."""
        for user in rows:
            accounts.remove_second_factors(actor=staff_actor(request), user=user)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Acting takes the change permission; looking doesn't give it."""
        return request.user.has_perm("tenants.change_user")


@admin.register(Organization)
class OrganizationAdmin(ReadOnlyAdmin):
    """Customers."""

    list_display = ("name", "slug", "public_id", "created_at")
    list_filter = ("requires_mfa", "created_at")
    search_fields = ("name", "slug")
    ordering = ("-id",)


@admin.register(Project)
class ProjectAdmin(ReadOnlyAdmin):
    """Projects of every organization."""

    list_display = ("name", "slug", "organization", "public_id", "created_at")
    list_select_related = ("organization",)
    list_filter = ("created_at",)
    search_fields = ("name", "slug", "=organization__slug")
    ordering = ("-id",)


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    """Who is what, where."""

    list_display = ("user", "role", "custom_role", "organization", "created_at", "last_active_at")
    list_select_related = ("user", "organization", "custom_role")
    list_filter = ("role",)
    search_fields = ("user__email", "user__name", "organization__name", "organization__slug")
    search_ids = ("user_id",)
    ordering = ("-id",)


@admin.register(CustomRole)
class CustomRoleAdmin(ReadOnlyAdmin):
    """Roles that organizations made for themselves."""

    list_display = ("name", "organization", "public_id", "created_at")
    list_select_related = ("organization",)
    search_fields = ("name", "organization__name", "organization__slug")
    ordering = ("-id",)


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    """Invitations; never their links."""

    content_fields = ("digest",)
    list_display = ("email", "organization", "invited_by", "expires_at", "accepted_at", "revoked_at")
    list_filter = (("accepted_at", admin.EmptyFieldListFilter), ("revoked_at", admin.EmptyFieldListFilter))
    list_select_related = ("organization", "invited_by")
    search_fields = ("email", "organization__name", "organization__slug")
    ordering = ("-id",)
    actions = ("withdraw",)

    @admin.action(description="Withdraw", permissions=["operate"])
    def withdraw(self, request: HttpRequest, rows: list[Invitation]) -> None:
        """Kill the links of the selected invitations that are still open."""
        for invitation in rows:
            if invitation.accepted_at is None:
                with organization_scope(invitation.organization_id):
                    services.revoke_invitation(actor=staff_actor(request), invitation=invitation)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Acting takes the change permission; looking doesn't give it."""
        return request.user.has_perm("tenants.change_invitation")


@admin.register(ProjectUserObjectPermission)
class ProjectUserObjectPermissionAdmin(ReadOnlyAdmin):
    """Permissions given to one member on one project."""

    list_display = ("user", "permission", "content_object", "organization")
    list_select_related = ("user", "permission__content_type", "content_object", "organization")
    search_fields = ("user__email", "content_object__name", "=organization__slug")
    search_ids = ("user_id", "content_object_id")
    ordering = ("-id",)


@admin.register(APIKey)
class APIKeyAdmin(ReadOnlyAdmin):
    """Keys by name and mask."""

    list_display = ("name", "masked", "organization", "project", "last_used_at", "expires_at", "revoked_at")
    list_select_related = ("organization", "project")
    list_filter = ("livemode", ("revoked_at", admin.EmptyFieldListFilter))
    search_fields = ("key_id", "name", "=organization__slug")
    ordering = ("-id",)
    actions = ("revoke",)

    @admin.action(description="Revoke", permissions=["operate"])
    def revoke(self, request: HttpRequest, rows: list[APIKey]) -> None:
        """End the selected keys for good."""
        for key in rows:
            with organization_scope(key.organization_id):
                services.revoke_api_key(actor=staff_actor(request), key=key)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Acting takes the change permission; looking doesn't give it."""
        return request.user.has_perm("tenants.change_apikey")


@admin.register(Authenticator)
class AuthenticatorAdmin(ReadOnlyAdmin):
    """Who has which second factor; never what it is made of."""

    content_fields = ("data",)
    list_display = ("user", "type", "created_at", "last_used_at")
    list_select_related = ("user",)
    list_filter = ("type",)
    search_fields = ("user__email",)
    ordering = ("-id",)


@admin.register(UserSession)
class UserSessionAdmin(ReadOnlyAdmin):
    """Where people are signed in; the session's key stays hidden."""

    content_fields = ("session",)
    list_display = ("user", "ip", "user_agent", "created_at", "last_seen_at")
    list_select_related = ("user",)
    search_fields = ("user__email",)
    ordering = ("-id",)

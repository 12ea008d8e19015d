"""People, organizations, projects, memberships, API keys and grants on a project."""

from typing import ClassVar
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.contrib.sessions.models import Session
from django.db import models
from django.db.models.functions import Lower
from guardian.models import UserObjectPermissionBase

from apps.core.models import IdentifiedModel, TenantModel
from apps.tenants.roles import Permission, Role


class UserManager(BaseUserManager["User"]):
    """Creates users by e-mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: object) -> "User":
        """A new user; without a password the account can't be signed in to until one is set."""
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: object) -> "User":
        """A new user with every right in Django's admin."""
        return self.create_user(email, password, **{"is_staff": True, "is_superuser": True} | fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin, IdentifiedModel):
    """A person who signs in by e-mail. Belongs to no organization; memberships connect the two."""

    PREFIX: ClassVar[str] = "usr"
    AUDIT_NAME_IS_PERSONAL: ClassVar[bool] = True

    class Theme(models.TextChoices):
        SYSTEM = "", "System"
        LIGHT = "light", "Light"
        DARK = "dark", "Dark"

    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=100, blank=True)
    theme = models.CharField(max_length=5, choices=Theme.choices, blank=True, default=Theme.SYSTEM)
    time_zone = models.CharField(max_length=64, default="UTC")
    keyboard_shortcuts = models.BooleanField(
        default=True, db_default=True, help_text="Single-letter shortcuts; they never fire inside fields."
    )
    table_columns = models.JSONField(
        default=dict, db_default={}, blank=True, help_text="The columns chosen for a list, by the list's key."
    )
    is_staff = models.BooleanField(default=False, help_text="May open Django's admin.")
    is_active = models.BooleanField(
        default=True, help_text="An inactive user can't sign in, nor can their keys."
    )
    date_joined = models.DateTimeField(auto_now_add=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_lower")]

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        """The name, or the e-mail address while there is none."""
        return self.name or self.email


class UserSession(IdentifiedModel):
    """Where a session was seen last: what its owner recognizes it by. It goes with Django's row.

    The database removes it with the session, so signing out and ending a session need no second step.
    """

    PREFIX: ClassVar[str] = "ses"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    user_id: UUID
    # The constraint is made by hand, with ON DELETE CASCADE.
    session = models.OneToOneField(
        Session,
        on_delete=models.DO_NOTHING,
        db_column="session_key",
        db_constraint=False,
        related_name="+",
    )
    session_id: str
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=400, blank=True)
    created_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.public_id


class Organization(IdentifiedModel):
    """A customer. Its row stands behind row-level security by its own id.

    The limits hold for all its API keys together; one that is not set does not limit.
    """

    PREFIX: ClassVar[str] = "org"

    name = models.CharField(max_length=100)
    slug = models.SlugField(max_length=50, unique=True)
    requires_mfa = models.BooleanField(
        default=False, db_default=False, help_text="Members need a second factor to come in."
    )
    stores_content = models.BooleanField(
        default=True, db_default=True, help_text="Whether what runs send and answer is stored."
    )
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True)
    tokens_per_minute = models.PositiveIntegerField(null=True, blank=True)
    concurrent_runs = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Project(TenantModel):
    """Where prompts, datasets, keys and runs live; an organization has one or more."""

    PREFIX: ClassVar[str] = "prj"

    name = models.CharField(max_length=100)
    slug = models.SlugField(max_length=50, db_index=False)
    stores_content = models.BooleanField(
        null=True, blank=True, help_text="Whether content of runs is stored; unset: as the organization says."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "slug"], name="project_slug"),
            # The target of composite foreign keys: a key of one organization can't name another's project.
            models.UniqueConstraint(fields=["organization", "id"], name="project_organization_id"),
        ]
        permissions = [(permission.value, f"May {permission.value}") for permission in Permission]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.name


class CustomRole(TenantModel):
    """A role that an organization made for itself: a name for a subset of the permissions."""

    PREFIX: ClassVar[str] = "rol"

    name = models.CharField(max_length=40)
    description = models.CharField(max_length=200, blank=True)
    permissions = ArrayField(models.CharField(max_length=40))
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint("organization", Lower("name"), name="custom_role_name"),
            # The target of composite foreign keys: nobody gets a role of another organization.
            models.UniqueConstraint(fields=["organization", "id"], name="custom_role_organization_id"),
        ]

    def __str__(self) -> str:
        return self.name


class RoleHolder(models.Model):
    """A built-in role by its name, or a custom role with an empty name: exactly one of the two."""

    role = models.CharField(
        max_length=20, blank=True, choices=[(role.value, role.value.capitalize()) for role in Role]
    )
    custom_role = models.ForeignKey(
        CustomRole, on_delete=models.PROTECT, null=True, blank=True, db_index=False, related_name="+"
    )
    custom_role_id: UUID | None

    class Meta:
        abstract = True


class Membership(RoleHolder, TenantModel):
    """A user's role in an organization."""

    PREFIX: ClassVar[str] = "mbr"
    AUDIT_NAME_IS_PERSONAL: ClassVar[bool] = True

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    user_id: UUID
    created_at = models.DateTimeField(auto_now_add=True)
    last_active_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "user"], name="membership_user"),
            models.CheckConstraint(
                condition=models.Q(role="", custom_role__isnull=False)
                | (~models.Q(role="") & models.Q(custom_role__isnull=True)),
                name="membership_one_role",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} is {self.role or self.custom_role_id}"


class Invitation(RoleHolder, TenantModel):
    """An open door for one e-mail address, until it is used, revoked or expired.

    Only the SHA-256 of the link's token is stored; a resend makes a new token and the old link goes dead.
    """

    PREFIX: ClassVar[str] = "ivt"
    AUDIT_NAME_IS_PERSONAL: ClassVar[bool] = True

    email = models.EmailField(max_length=254)
    digest = models.BinaryField(max_length=32, unique=True)
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    invited_by_id: UUID | None
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    accepted_by_id: UUID | None
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                "organization",
                Lower("email"),
                condition=models.Q(accepted_at__isnull=True, revoked_at__isnull=True),
                name="invitation_open_email",
            ),
            models.CheckConstraint(
                condition=models.Q(role="", custom_role__isnull=False)
                | (~models.Q(role="") & models.Q(custom_role__isnull=True)),
                name="invitation_one_role",
            ),
        ]
        indexes = [models.Index(fields=["organization", "-id"], name="invitation_list")]

    def __str__(self) -> str:
        return self.public_id


class APIKey(TenantModel):
    """A program's way in, to one project. Only the SHA-256 of the token is stored.

    A limit that is not set is the installation's own (requests) or none (tokens, runs at a time).
    """

    PREFIX: ClassVar[str] = "key"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, db_index=False, related_name="+")
    project_id: UUID
    name = models.CharField(max_length=100)
    key_id = models.CharField(max_length=12, unique=True)
    digest = models.BinaryField(max_length=32)
    last_four = models.CharField(max_length=4)
    scopes = ArrayField(models.CharField(max_length=20))
    livemode = models.BooleanField()
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_by_id: UUID | None
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_ip = models.GenericIPAddressField(null=True, blank=True)
    allowed_networks = ArrayField(models.CharField(max_length=43), default=list, db_default=[], blank=True)
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True)
    tokens_per_minute = models.PositiveIntegerField(null=True, blank=True)
    concurrent_runs = models.PositiveIntegerField(null=True, blank=True)
    replaced_by = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, db_index=False, related_name="+"
    )
    replaced_by_id: UUID | None

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["organization", "project", "-id"], name="apikey_project")]

    def __str__(self) -> str:
        return self.name

    @property
    def masked(self) -> str:
        """What may be shown of the token: its prefix, its id and the last four characters."""
        return f"psk_{'live' if self.livemode else 'test'}_{self.key_id}_…{self.last_four}"


class ProjectUserObjectPermission(TenantModel, UserObjectPermissionBase):  # type: ignore[misc]
    """A permission given to one member on one project, on top of the role.

    django-guardian's direct-foreign-key model with the organization and its policy added; written by
    ``services.grant_project_permission`` only, because guardian's ``assign_perm`` can't pass an organization.
    """

    PREFIX: ClassVar[str] = "grt"

    content_object = models.ForeignKey(Project, on_delete=models.CASCADE, db_index=False, related_name="+")
    content_object_id: UUID

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "content_object", "user", "permission"],
                name="project_user_permission",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user_id} on {self.content_object_id}"

"""People, organizations, projects, memberships, API keys and grants on a project."""

from typing import ClassVar
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
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


class Organization(IdentifiedModel):
    """A customer. Its row stands behind row-level security by its own id."""

    PREFIX: ClassVar[str] = "org"

    name = models.CharField(max_length=100)
    slug = models.SlugField(max_length=50, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Project(TenantModel):
    """Where prompts, datasets, keys and runs live; an organization has one or more."""

    PREFIX: ClassVar[str] = "prj"

    name = models.CharField(max_length=100)
    slug = models.SlugField(max_length=50, db_index=False)
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


class Membership(TenantModel):
    """A user's role in an organization."""

    PREFIX: ClassVar[str] = "mbr"
    AUDIT_NAME_IS_PERSONAL: ClassVar[bool] = True

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    user_id: UUID
    role = models.CharField(max_length=20, choices=[(role.value, role.value.capitalize()) for role in Role])
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "user"], name="membership_user")]

    def __str__(self) -> str:
        return f"{self.user_id} is {self.role}"


class APIKey(TenantModel):
    """A program's way in, to one project. Only the SHA-256 of the token is stored."""

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

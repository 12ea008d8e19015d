"""Forms of members, invitations, roles and settings."""

import re
from typing import Any, Final

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from apps.tenants.models import User
from apps.tenants.people import RoleOption

_SEPARATORS: Final = re.compile(r"[\s,;]+")
_NAMED: Final = re.compile(r"<([^<>]+)>")


class InviteForm(forms.Form):
    """One or more addresses and the role they get. Offers only roles that the inviter may give."""

    emails = forms.CharField(
        label="E-mail addresses",
        max_length=8_000,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "autocapitalize": "none"}),
        help_text="One or several, separated by commas, spaces or lines. Each gets a link for 7 days.",
    )
    role = forms.ChoiceField(label="Role")

    def __init__(self, *args: Any, roles: list[RoleOption], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(role.reference, _line(role)) for role in roles]
        preferred = next((reference for reference, _ in choices if reference == "editor"), None)
        self.fields["role"] = forms.ChoiceField(
            label="Role", choices=choices, widget=forms.RadioSelect, initial=preferred
        )

    def addresses(self) -> list[str]:
        """The addresses one by one; \"Ada <ada@example.com>\" counts as its address."""
        text = self.cleaned_data["emails"]
        named = _NAMED.findall(text)
        return named or [each for each in _SEPARATORS.split(text) if each]


class JoinForm(forms.Form):
    """A new account for an invited address, which the link has proved."""

    name = forms.CharField(label="Your name", max_length=100)
    password = forms.CharField(
        label="Password",
        max_length=1_000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email

    def clean_password(self) -> str:
        """The password, if it is good enough for this person."""
        password: str = self.cleaned_data["password"]
        person = User(email=self.email, name=self.cleaned_data.get("name", ""))
        validate_password(password, person)
        return password


class NameForm(forms.Form):
    """The name of an organization or a project."""

    name = forms.CharField(label="Name", max_length=100)


class TypedNameForm(forms.Form):
    """A name typed to confirm something that can't be undone alone."""

    typed = forms.CharField(max_length=100)

    def __init__(self, *args: Any, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected
        self.fields["typed"].label = f"Type {expected} to confirm"

    def clean_typed(self) -> str:
        """The name, exactly."""
        typed: str = self.cleaned_data["typed"]
        if typed != self.expected:
            raise ValidationError(f"Type {self.expected} exactly as it is written here.")
        return typed


def _line(role: RoleOption) -> str:
    return f"{role.name}: {role.description}" if role.description else role.name

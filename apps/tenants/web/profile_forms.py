"""The form of a person's own profile."""

from typing import Self

from django import forms

from apps.tenants.models import User


class ProfileForm(forms.Form):
    """What a person chose for themselves; the service says whether the zone exists."""

    name = forms.CharField(
        label="Name", max_length=100, required=False, help_text="Shown to members of your organizations."
    )
    theme = forms.ChoiceField(
        label="Theme", choices=User.Theme.choices, required=False, widget=forms.RadioSelect
    )
    time_zone = forms.CharField(label="Time zone", max_length=64)
    keyboard_shortcuts = forms.BooleanField(
        label="Single-letter shortcuts",
        required=False,
        help_text="They never fire while you type. Ctrl or Cmd with a letter works either way.",
    )

    @classmethod
    def of(cls, user: User) -> Self:
        """The form filled with what is stored."""
        fields = ("name", "theme", "time_zone", "keyboard_shortcuts")
        return cls(initial={field: getattr(user, field) for field in fields})

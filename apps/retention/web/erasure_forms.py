"""Forms of erasure."""

from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError

from apps.retention.erasure import requests

_DELAYS: Final = [
    ("day", "In 24 hours; until then it can be called off"),
    ("none", "Now; what is erased does not come back"),
]
_PLAIN: Final = {"spellcheck": "false", "autocapitalize": "none", "autocomplete": "off"}


class _ErasureForm(forms.Form):
    """What both kinds ask."""

    reason = forms.CharField(
        label="Reason",
        required=False,
        max_length=requests.LONGEST_REASON,
        help_text="Such as the number of the request in your own system. It stays in the certificate, so it "
        "must not name the person.",
    )
    delay = forms.ChoiceField(label="When", choices=_DELAYS, widget=forms.RadioSelect, initial="day")


class EndUserForm(_ErasureForm):
    """An end user: the id that programs send, and what else to search for."""

    end_user = forms.CharField(
        label="End user id",
        max_length=requests.LONGEST_END_USER,
        help_text="As your programs send it with each run (user), letter for letter.",
        widget=forms.TextInput(attrs=_PLAIN),
    )
    texts = forms.CharField(
        label="Texts to search for",
        required=False,
        max_length=4_000,
        help_text="One a line, such as a name or an e-mail address. Whatever holds one of them goes: rows of "
        "datasets, results of batches, contents of other runs, files, audit details, mails.",
        widget=forms.Textarea(attrs={**_PLAIN, "rows": 3}),
    )
    columns = forms.CharField(
        label="Columns of datasets",
        required=False,
        max_length=4_000,
        help_text="One a line, as column = value, such as customer_id = 4711. Every row with that value is "
        "emptied.",
        widget=forms.Textarea(attrs={**_PLAIN, "rows": 2, "class": "input mono"}),
    )
    field_order = ("end_user", "texts", "columns", "reason", "delay")

    def clean_columns(self) -> list[tuple[str, str]]:
        """Pairs of column and value."""
        pairs = []
        for line in filter(None, map(str.strip, self.cleaned_data["columns"].splitlines())):
            column, equals, value = (each.strip() for each in line.partition("="))
            if not (column and equals and value):
                raise ValidationError(f"“{line[:80]}” is not of the form column = value.")
            pairs.append((column, value))
        return pairs

    def search(self) -> requests.Search:
        """What is searched beside the id."""
        return requests.Search(self.cleaned_data["texts"].splitlines(), self.cleaned_data["columns"])


class MemberForm(_ErasureForm):
    """A member, or somebody who was one."""

    member = forms.CharField(
        label="Member",
        max_length=254,
        help_text="The e-mail address, or for somebody who has left the usr_… id that the audit log shows.",
        widget=forms.TextInput(attrs=_PLAIN),
    )
    search_texts = forms.BooleanField(
        label="Also look for name and address in datasets, runs and files",
        required=False,
        help_text="Whatever holds one of them goes.",
    )
    field_order = ("member", "search_texts", "reason", "delay")


class DeleteOrganizationForm(forms.Form):
    """The typed name."""

    confirmation = forms.CharField(max_length=100, widget=forms.TextInput(attrs=_PLAIN))
    reason = forms.CharField(label="Reason", required=False, max_length=requests.LONGEST_REASON)

    def __init__(self, *args: Any, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["confirmation"].label = f"Type {expected} to confirm"

"""Forms of the dataset pages."""

from collections.abc import Sequence
from typing import Any

from django import forms

from apps.datasets.mapping import ROLES, TYPES, ColumnMapping
from apps.datasets.parsing import DELIMITERS, ENCODINGS, FileFacts

ROLE_CHOICES = [
    ("variable", "Variable"),
    ("expected", "Expected output"),
    ("metadata", "Metadata"),
    ("ignore", "Ignore"),
]
TYPE_CHOICES = [("text", "Text"), ("number", "Number"), ("boolean", "Yes or no"), ("json", "JSON")]
assert [value for value, _ in ROLE_CHOICES] == list(ROLES)
assert [value for value, _ in TYPE_CHOICES] == list(TYPES)


class UploadForm(forms.Form):
    """Choose a file."""

    file = forms.FileField(
        label="File",
        help_text="CSV or JSONL, up to 100 MB and 1,000,000 rows. The next step shows what was recognised.",
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.tsv,.txt,.jsonl,.ndjson"}),
        error_messages={"required": "Choose a file first."},
    )


class PasteForm(forms.Form):
    """A table pasted from a spreadsheet or an editor."""

    table = forms.CharField(
        label="Table",
        strip=False,
        help_text="Column names in the first line. Cells copied from a spreadsheet, CSV or JSONL.",
        widget=forms.Textarea(attrs={"rows": 8, "class": "input mono", "spellcheck": "false"}),
        error_messages={"required": "Paste a table first."},
    )


class EmptyForm(forms.Form):
    """A dataset without rows."""

    name = forms.CharField(label="Dataset name", max_length=120)
    variables = forms.CharField(
        label="Variables",
        help_text="The names of your prompt's variables, with commas between.",
        max_length=2000,
        widget=forms.TextInput(attrs={"placeholder": "customer_name, question"}),
    )
    expected = forms.BooleanField(label="A column for the expected output", required=False, initial=True)

    def columns(self) -> tuple[ColumnMapping, ...]:
        """The columns asked for; call after `is_valid`."""
        names = [name.strip() for name in self.cleaned_data["variables"].split(",") if name.strip()]
        columns = [ColumnMapping(name, "variable", name) for name in names]
        if self.cleaned_data["expected"]:
            columns.append(ColumnMapping("expected", "expected", "expected"))
        return tuple(columns)


class NameForm(forms.Form):
    """Another name for a dataset."""

    name = forms.CharField(label="Name", max_length=120)


class PublishForm(forms.Form):
    """Make a draft the next version."""

    revision = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    note = forms.CharField(label="What changed", required=False, max_length=200)
    on_top = forms.BooleanField(label="Publish without the rows of the newer version", required=False)


class FormatForm(forms.Form):
    """Overrule what was recognised of a CSV file."""

    delimiter = forms.ChoiceField(choices=[(mark, name.capitalize()) for mark, name in DELIMITERS.items()])
    encoding = forms.ChoiceField(choices=[(name, name.upper()) for name in ENCODINGS])
    has_header = forms.BooleanField(label="First line holds the column names", required=False)

    @classmethod
    def of(cls, facts: FileFacts) -> "FormatForm":
        """A form that shows the facts."""
        initial = {"delimiter": facts.delimiter, "encoding": facts.encoding, "has_header": facts.has_header}
        return cls(initial=initial)


class ColumnsForm(forms.Form):
    """For column n its ``role_n``, ``name_n`` and ``type_n``."""

    def __init__(self, *args: Any, mapping: Sequence[ColumnMapping], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.columns = [item.column for item in mapping]
        for number, item in enumerate(mapping):
            label = f"Column {item.column}"
            self.fields[f"role_{number}"] = forms.ChoiceField(
                choices=ROLE_CHOICES, initial=item.role, label=f"{label}: use as"
            )
            self.fields[f"name_{number}"] = forms.CharField(
                initial=item.name, max_length=100, required=False, label=f"{label}: name"
            )
            self.fields[f"type_{number}"] = forms.ChoiceField(
                choices=TYPE_CHOICES, initial=item.type, label=f"{label}: type"
            )

    def column_rows(self) -> list[dict[str, Any]]:
        """For the page: each column with its three fields."""
        return [
            {
                "column": column,
                "role": self[f"role_{number}"],
                "name": self[f"name_{number}"],
                "type": self[f"type_{number}"],
            }
            for number, column in enumerate(self.columns)
        ]

    def mapping(self) -> tuple[ColumnMapping, ...]:
        """What was chosen; call after ``is_valid``."""
        data = self.cleaned_data
        return tuple(
            ColumnMapping(
                column,
                data[f"role_{number}"],
                data[f"name_{number}"].strip() or column,
                data[f"type_{number}"],
            )
            for number, column in enumerate(self.columns)
        )


class MappingForm(ColumnsForm):
    """The dataset's name, and what each column of a file becomes."""

    dataset = forms.CharField(
        label="Dataset name",
        max_length=120,
        help_text="An existing name makes a new version of that dataset.",
    )

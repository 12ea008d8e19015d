"""What people fill in on pages of runs."""

from typing import Any, Final

from django import forms

from apps.datasets.models import Dataset
from apps.runs.services import LONGEST_COMMENT, LONGEST_CORRECTION

SCORES: Final = (("5", "5, very good"), ("4", "4"), ("3", "3"), ("2", "2"), ("1", "1, useless"))
NEW_DATASET: Final = ""
EXPECTED: Final = (
    ("correction", "The correction, where there is one, else the answer"),
    ("answer", "The answer as it came"),
    ("none", "Nothing"),
)


class FeedbackForm(forms.Form):
    """What somebody thinks of an answer."""

    score = forms.TypedChoiceField(
        choices=[("", "No score"), *SCORES], coerce=int, empty_value=None, required=False
    )
    comment = forms.CharField(
        max_length=LONGEST_COMMENT, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    correction = forms.CharField(
        max_length=LONGEST_CORRECTION,
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What the answer should have been.",
    )


class AddToDatasetForm(forms.Form):
    """Where rows made from runs go, and what they expect."""

    dataset = forms.ChoiceField(required=False)
    name = forms.CharField(label="Name of the new dataset", max_length=120, required=False)
    expected = forms.ChoiceField(label="Expected answer", choices=EXPECTED)

    def __init__(self, *args: Any, datasets: list[Dataset], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chooser = self.fields["dataset"]
        assert isinstance(chooser, forms.ChoiceField)
        chooser.choices = [
            *((dataset.public_id, dataset.name) for dataset in datasets),
            (NEW_DATASET, "A new dataset"),
        ]

    def clean(self) -> dict[str, Any]:
        """A new dataset needs a name."""
        values = super().clean() or {}
        if not values.get("dataset") and not values.get("name", "").strip():
            self.add_error("name", "Name the new dataset, or choose one that is there.")
        return values

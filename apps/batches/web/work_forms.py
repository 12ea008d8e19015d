"""Parts of the form of a new batch: how rows become calls, and what else runs over the same rows."""

from itertools import product
from typing import Any, Final

from django import forms

from apps.batches import work as ways
from apps.batches.planning import MOST_VARIANTS, VariantChoice
from apps.batches.work import ChunkedWork, MultiRowWork, Reduce, RowWork, Work
from apps.core import ids
from apps.prompts.models import Prompt
from apps.runs.types import PromptReference

KINDS: Final = (
    ("rows", "One call a row"),
    ("multi_row", "Several rows in one call"),
    ("chunked", "Long rows in pieces"),
)
MOST_OTHERS: Final = MOST_VARIANTS - 1


class WorkFields(forms.Form):
    """Calls and comparisons. All of it may be left as it is."""

    also_prompts = forms.MultipleChoiceField(label="Other versions", required=False)
    also_models = forms.MultipleChoiceField(label="Other models", required=False)
    work_kind = forms.ChoiceField(label="Calls", choices=KINDS, required=False)
    rows_variable = forms.CharField(
        label="Variable of the rows",
        max_length=255,
        required=False,
        initial="rows",
        help_text="The prompt's JSON variable. It gets a list of objects, each with an id; the answer is a "
        "JSON list of objects with the same ids.",
    )
    rows_per_call = forms.IntegerField(
        label="Rows a call, at most",
        min_value=2,
        max_value=ways.MOST_ROWS_PER_CALL,
        required=False,
        initial=ways.DEFAULT_ROWS_PER_CALL,
    )
    tokens_per_call = forms.IntegerField(
        label="Tokens of rows a call, about",
        min_value=1,
        max_value=ways.MOST_TOKENS,
        required=False,
        initial=ways.DEFAULT_TOKENS_PER_CALL,
    )
    chunk_variable = forms.CharField(
        label="Variable that is cut", max_length=255, required=False, help_text="The prompt's long text."
    )
    chunk_tokens = forms.IntegerField(
        label="Tokens a piece",
        min_value=ways.LEAST_CHUNK,
        max_value=ways.MOST_TOKENS,
        required=False,
        initial=ways.DEFAULT_CHUNK,
    )
    chunk_overlap = forms.IntegerField(
        label="Tokens that pieces share",
        min_value=0,
        max_value=ways.MOST_TOKENS // 2,
        required=False,
        initial=ways.DEFAULT_OVERLAP,
    )
    reduce_prompt = forms.ChoiceField(
        label="Prompt that joins the answers",
        required=False,
        help_text="Its JSON variable parts gets the list of the pieces' answers.",
    )

    def clean(self) -> dict[str, Any]:
        """What a way of making calls needs, and no more comparisons than run in one batch."""
        data = super().clean() or self.cleaned_data
        if data.get("work_kind") == "chunked":
            for name in ("chunk_variable", "reduce_prompt"):
                if not data.get(name):
                    self.add_error(name, "Long rows in pieces need this.")
        tokens, overlap = data.get("chunk_tokens"), data.get("chunk_overlap")
        if tokens and overlap and overlap > tokens // 2:
            self.add_error("chunk_overlap", "At most half of a piece.")
        others = (len(data.get("also_prompts") or ()) + 1) * (len(data.get("also_models") or ()) + 1)
        if others > MOST_VARIANTS:
            message = f"That makes {others} variants; {MOST_VARIANTS} is the limit."
            self.add_error("also_models" if data.get("also_models") else "also_prompts", message)
        return data

    def work_opened(self) -> dict[str, bool]:
        """Which folded parts of the page hold something that was chosen or is wrong."""
        parts = {
            "compare": ("also_prompts", "also_models"),
            "calls": [name for name in WorkFields.base_fields if not name.startswith("also_")],
        }
        opened = {part: any(name in self.errors for name in names) for part, names in parts.items()}
        chosen = bool(self["also_prompts"].value() or self["also_models"].value())
        return {
            "compare": opened["compare"] or chosen,
            "calls": opened["calls"] or self["work_kind"].value() not in (None, "", "rows"),
        }

    def work(self) -> Work:
        """How rows become calls; call after `is_valid`."""
        data = self.cleaned_data
        if data["work_kind"] == "multi_row":
            return MultiRowWork(
                variable=data["rows_variable"] or "rows",
                rows_per_call=data["rows_per_call"] or ways.DEFAULT_ROWS_PER_CALL,
                tokens_per_call=data["tokens_per_call"] or ways.DEFAULT_TOKENS_PER_CALL,
            )
        if data["work_kind"] == "chunked":
            reference = reference_of(data["reduce_prompt"])
            overlap = data["chunk_overlap"]
            return ChunkedWork(
                variable=data["chunk_variable"],
                reduce=Reduce(reference.name, version=reference.number, label=reference.label),
                tokens=data["chunk_tokens"] or ways.DEFAULT_CHUNK,
                overlap=ways.DEFAULT_OVERLAP if overlap is None else overlap,
            )
        return RowWork()

    def variants(self) -> tuple[VariantChoice, ...]:
        """Each version with each model, the batch's own first; none where nothing is compared."""
        data = self.cleaned_data
        also = [reference_of(each) for each in data["also_prompts"]]
        if not also and not data["also_models"]:
            return ()
        versions = [VariantChoice(), *(VariantChoice(each.number, each.label) for each in also)]
        return tuple(
            VariantChoice(version.number, version.label, model)
            for version, model in product(versions, ["", *data["also_models"]])
        )

    def clean_also_prompts(self) -> list[str]:
        """Other versions are of the same prompt: its variables are what the rows fill."""
        chosen: list[str] = self.cleaned_data["also_prompts"]
        own = str(self.data.get("prompt", "")).partition(":")[0]
        if any(each.partition(":")[0] != own for each in chosen):
            raise forms.ValidationError("Compare versions of the prompt that was chosen above.")
        return [each for each in chosen if each != self.data.get("prompt")]


def reference_of(value: str) -> PromptReference:
    """The prompt that a choice `prm_…:label:production` or `prm_…:number:3` means."""
    public_id, kind, name = value.split(":", 2)
    prompt = Prompt.objects.get(pk=ids.decode(Prompt.PREFIX, public_id)).name
    return (
        PromptReference(prompt, number=int(name)) if kind == "number" else PromptReference(prompt, label=name)
    )

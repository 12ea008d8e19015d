"""The cards of the page on serving, but for guardrails: what people fill in, and the section it makes."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from django import forms

from apps.core.errors import PromptsaasError
from apps.core.formatting import format_duration
from apps.prompts import serving
from apps.prompts.serving import Section

INHERIT: Final = "inherit"
OWN: Final = "own"
OFF: Final = 0
EXACT_CHOICES: Final = (OFF, 60, 300, 900, 3600, 6 * 3600, 86_400)
SEMANTIC_CHOICES: Final = (OFF, 900, 3600, 6 * 3600, 86_400, 7 * 86_400, 30 * 86_400)
SHOWN_FALLBACKS: Final = 3
_WORDS: Final = {60: "1 minute", 3600: "1 hour", 86_400: "1 day"}
_UNITS: Final = ((86_400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))


def length_words(seconds: int) -> str:
    """A length of time in its largest whole unit: "5 minutes", "off" for none."""
    if not seconds:
        return "off"
    unit, word = next((unit, word) for unit, word in _UNITS if seconds % unit == 0)
    return _WORDS.get(seconds) or f"{seconds // unit:,} {word}"


class SectionForm(forms.Form):
    """One card: whether the section is one's own, and its fields. `values` is the section that holds now.

    `inherited` says whose it is else.
    """

    section: ClassVar[Section]
    mode = forms.ChoiceField(label="Rules", widget=forms.RadioSelect)

    def __init__(
        self,
        data: Any = None,
        *,
        values: Mapping[str, Any],
        own: bool,
        inherited: str,
        models: Iterable[str] = (),
    ) -> None:
        initial = {**self.initial_of(values), "mode": OWN if own else INHERIT}
        super().__init__(data, prefix=self.section, initial=initial)
        self.prepare(values)
        mode = self.fields["mode"]
        assert isinstance(mode, forms.ChoiceField)
        mode.choices = [(INHERIT, inherited), (OWN, "Its own")]
        self.models = list(models)

    def initial_of(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What the fields show of a section."""
        return dict(values)

    def prepare(self, values: Mapping[str, Any]) -> None:
        """Fit the fields to what holds now."""

    def section_value(self) -> dict[str, Any] | None:
        """The section that was filled in; None for the inherited one."""
        return None if self.cleaned_data["mode"] == INHERIT else self.own_value(self.cleaned_data)

    def own_value(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The section's own fields."""
        raise NotImplementedError

    def add_problem(self, problem: PromptsaasError) -> None:
        """Show what the service refused at the field that it names."""
        _, _, path = (problem.param or "").partition(".")
        name, _, place = path.partition(".")
        field = next((each for each in (f"{name}_{place}", name) if each in self.fields), None)
        self.add_error(field, problem.message)

    @property
    def controls(self) -> list[forms.BoundField]:
        """The fields besides the choice of whose they are."""
        return [field for field in self if field.name != "mode"]


def _seconds(label: str, help_text: str) -> forms.TypedChoiceField:
    return forms.TypedChoiceField(label=label, coerce=int, help_text=help_text)


def _offer(field: forms.Field, offered: Iterable[int], now: int) -> None:
    """A select of lengths of time; what holds now stays choosable."""
    assert isinstance(field, forms.ChoiceField)
    seconds = sorted({*offered, now})
    field.choices = [(each, length_words(each).capitalize()) for each in seconds]


class CacheForm(SectionForm):
    """When an earlier answer does."""

    section = "cache"
    exact_seconds = _seconds(
        "Equal calls are answered from the cache for",
        "Same rendered messages, model and parameters. A cached answer costs no tokens.",
    )
    semantic_seconds = _seconds(
        "Similar calls are answered from the cache for",
        "Each call is compared by an embedding, which costs a small call of the model below.",
    )
    threshold = forms.FloatField(
        label="Least similarity",
        min_value=serving.LEAST_THRESHOLD,
        max_value=1,
        help_text="Cosine from 0.5 to 1. Below 0.9 calls with another meaning may be answered alike.",
        widget=forms.NumberInput(attrs={"step": "0.01"}),
    )
    embedding_model = forms.CharField(
        label="Model that compares",
        required=False,
        max_length=serving.LONGEST_REFERENCE,
        help_text="An embedding model as connection/model. Needed for similar calls only.",
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "list": "serving-models"}
        ),
    )
    sensitive_variables = forms.CharField(
        label="Sensitive variables",
        required=False,
        max_length=4_000,
        help_text="Names with commas between. A similar call answers only where these are equal, "
        "so nobody gets the answer made for another customer.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def initial_of(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {**values, "sensitive_variables": ", ".join(values["sensitive_variables"])}

    def prepare(self, values: Mapping[str, Any]) -> None:
        _offer(self.fields["exact_seconds"], EXACT_CHOICES, values["exact_seconds"])
        _offer(self.fields["semantic_seconds"], SEMANTIC_CHOICES, values["semantic_seconds"])

    def own_value(self, given: Mapping[str, Any]) -> dict[str, Any]:
        names = [name.strip() for name in given["sensitive_variables"].split(",")]
        return {**_without_mode(given), "sensitive_variables": [name for name in names if name]}


class CallsForm(SectionForm):
    """How the provider is called."""

    section = "calls"
    retries = forms.TypedChoiceField(
        label="Retries after a failure",
        coerce=int,
        choices=[(each, each or "None") for each in range(serving.MOST_RETRIES + 1)],
        help_text="Waits grow and obey Retry-After.",
    )
    timeout_seconds = forms.FloatField(
        label="Longest time of a call, in seconds",
        min_value=1,
        max_value=serving.LONGEST_CALL,
        help_text="From 1 to 600. A call that takes longer has failed: it is repeated or goes to a fallback. "
        "A run as a whole ends after two minutes.",
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
    repair_attempts = forms.TypedChoiceField(
        label="Ask again for answers that break the output schema",
        coerce=int,
        choices=[(0, "Never"), (1, "Once"), (2, "Twice")],
        help_text="Each asking is a further call that costs tokens. Streams are not repaired.",
    )

    def initial_of(self, values: Mapping[str, Any]) -> dict[str, Any]:
        fallbacks = {f"fallbacks_{number}": model for number, model in enumerate(values["fallbacks"])}
        return {**values, **fallbacks, "timeout_seconds": f"{values['timeout_seconds']:g}"}

    def prepare(self, values: Mapping[str, Any]) -> None:
        shown = min(serving.MOST_FALLBACKS, max(SHOWN_FALLBACKS, len(values["fallbacks"]) + 1))
        for number in range(shown):
            attrs = {"autocomplete": "off", "spellcheck": "false", "list": "serving-models"}
            self.fields[f"fallbacks_{number}"] = forms.CharField(
                label=f"Fallback {number + 1}",
                required=False,
                max_length=serving.LONGEST_REFERENCE,
                widget=forms.TextInput(attrs=attrs),
            )

    def own_value(self, given: Mapping[str, Any]) -> dict[str, Any]:
        named = [given[name] for name in sorted(given) if name.startswith("fallbacks_")]
        rest = {
            name: each for name, each in _without_mode(given).items() if not name.startswith("fallbacks_")
        }
        return {**rest, "fallbacks": [model for model in named if model]}


def _limit(label: str, help_text: str = "") -> forms.IntegerField:
    return forms.IntegerField(
        label=label, required=False, min_value=1, max_value=serving.MINUTE_LIMIT, help_text=help_text
    )


class LimitsForm(SectionForm):
    """How much may be asked in a minute and at a time."""

    section = "limits"
    requests_per_minute = _limit("Requests a minute", "All callers together. Empty does not limit.")
    tokens_per_minute = _limit("Tokens a minute", "Input and output of all callers together.")
    concurrent_runs = _limit("Runs at a time", "What comes on top is refused with 429, not queued.")
    user_requests_per_minute = _limit("Requests a minute of each user", "A user is what calls name as user.")
    user_tokens_per_minute = _limit("Tokens a minute of each user")

    def own_value(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return {name: each for name, each in _without_mode(given).items() if each is not None}


def _without_mode(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name != "mode"}


def cache_facts(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a section of caches comes to, in words."""
    facts = [("Equal calls", length_words(values["exact_seconds"]))]
    facts.append(("Similar calls", length_words(values["semantic_seconds"])))
    if values["semantic_seconds"]:
        facts.append(("Least similarity", f"{values['threshold']:g} by {values['embedding_model']}"))
        facts.append(("Kept apart by", ", ".join(values["sensitive_variables"]) or "nothing"))
    return facts


def call_facts(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a section of calls comes to, in words."""
    repairs = {0: "never", 1: "once", 2: "twice"}
    return [
        ("Fallbacks", ", then ".join(values["fallbacks"]) or "none"),
        ("Retries", str(values["retries"] or "none")),
        ("Longest call", format_duration(values["timeout_seconds"] * 1000)),
        ("Schema repair", repairs[values["repair_attempts"]]),
    ]


def limit_facts(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a section of limits comes to, in words."""
    words = {name: field.label for name, field in LimitsForm.base_fields.items() if name != "mode"}
    given = [(str(label), f"{values[name]:,}") for name, label in words.items() if values[name] is not None]
    return given or [("Limits", "none of its own; keys and the plan have theirs")]

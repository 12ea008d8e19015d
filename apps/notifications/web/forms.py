"""The form of a webhook."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from django import forms

from apps.core.errors import InvalidRequest
from apps.notifications import services
from apps.notifications.catalogue import EVENT_TYPES, EventType
from apps.notifications.models import WebhookEndpoint


class WebhookForm(forms.Form):
    """Where to, what for, and what it is told of."""

    url = forms.CharField(
        label="URL",
        max_length=services.LONGEST_URL,
        help_text="An https address on the public internet. It gets a POST for each event.",
        widget=forms.URLInput(attrs={"placeholder": "https://example.com/hooks/promptsaas"}),
    )
    description = forms.CharField(
        label="What for",
        required=False,
        max_length=services.LONGEST_DESCRIPTION,
        help_text="Such as “refreshes the cache of the shop”.",
    )
    event_types = forms.MultipleChoiceField(
        label="Events", required=False, choices=[(each.name, each.words) for each in EVENT_TYPES]
    )

    def __init__(self, *args: Any, webhook: WebhookEndpoint | None = None, **kwargs: Any) -> None:
        if webhook is not None:
            names = ("url", "description", "event_types")
            kwargs["initial"] = {name: getattr(webhook, name) for name in names}
        super().__init__(*args, **kwargs)

    def groups(self) -> Iterator[tuple[str, list[tuple[EventType, bool]]]]:
        """The events by what they are about, and whether each is chosen."""
        chosen = set(self["event_types"].value() or ())
        for words, types in groupby(EVENT_TYPES, key=lambda each: each.group):
            yield words, [(each, each.name in chosen) for each in types]

    def add_problem(self, problem: InvalidRequest) -> None:
        """Put a service's refusal to the field that it names."""
        self.add_error(problem.param if problem.param in self.fields else None, problem.message)

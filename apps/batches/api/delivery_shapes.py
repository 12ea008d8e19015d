"""Shapes of how rows reach the provider: the choice, what each costs, what lies at the provider."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from rest_framework import serializers

from apps.batches.models import Delivery
from apps.batches.planning import Plan
from apps.batches.provider_batches.eligibility import offer_for
from apps.batches.provider_batches.pricing import batch_estimate
from apps.batches.provider_models import ProviderBatch, ProviderState

ABOUT: Final = (
    "`direct` calls the model row by row. `provider_batch` hands rows to the provider's own batch endpoint: "
    "done within a day, as a rule at half the price."
)


class DeliveryField(serializers.ChoiceField):
    """How rows reach the provider."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=Delivery.values, **{"help_text": ABOUT, **kwargs})


class DeliveryOfferSerializer(serializers.Serializer[Any]):
    """One way of delivery for a planned batch."""

    delivery = DeliveryField()
    available = serializers.BooleanField()
    problem = serializers.CharField(allow_null=True, help_text="Why it can't be chosen.")
    cost_status = serializers.CharField(allow_null=True)
    cost_low = serializers.CharField(allow_null=True)
    cost_high = serializers.CharField(allow_null=True)


class ProviderBatchSerializer(serializers.Serializer[Any]):
    """Rows of a batch that went to the provider's batch endpoint together."""

    id = serializers.CharField()
    object = serializers.CharField(default="provider_batch")
    state = serializers.ChoiceField(choices=ProviderState.choices)
    model = serializers.CharField()
    provider_id = serializers.CharField(allow_null=True, help_text="The provider's own id of its batch.")
    requests = serializers.IntegerField()
    answered = serializers.IntegerField(help_text="By the provider's count.")
    failed = serializers.IntegerField(help_text="By the provider's count.")
    recorded = serializers.IntegerField(help_text="Rows whose answer is stored here.")
    returned = serializers.IntegerField(help_text="Rows without an answer, which are called directly.")
    error = serializers.DictField(allow_null=True)
    submitted_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


def deliveries_json(project_id: UUID, plan: Plan) -> list[dict[str, Any]]:
    """Each way of delivery with what it costs."""
    offer = offer_for(project_id, plan)
    direct, batch = plan.estimate.as_json(), batch_estimate(plan.variants).as_json()
    names = ("cost_status", "cost_low", "cost_high")
    return [
        {
            "delivery": Delivery.DIRECT.value,
            "available": True,
            "problem": None,
            **{name: direct[name] for name in names},
        },
        {
            "delivery": Delivery.PROVIDER_BATCH.value,
            "available": offer.is_possible,
            "problem": offer.problem or None,
            **{name: batch[name] if offer.is_possible else None for name in names},
        },
    ]


def provider_batches_json(batches: Sequence[ProviderBatch]) -> list[dict[str, Any]]:
    """A batch's provider batches."""
    return [
        {
            "id": each.public_id,
            "object": "provider_batch",
            "state": each.state,
            "model": each.model,
            "provider_id": each.external_id or None,
            "requests": each.requests,
            "answered": each.answered,
            "failed": each.failed,
            "recorded": each.recorded,
            "returned": each.returned,
            "error": {"code": each.error_code, "message": each.error_message} if each.error_code else None,
            "submitted_at": each.submitted_at,
            "ended_at": each.ended_at,
            "finished_at": each.finished_at,
        }
        for each in batches
    ]

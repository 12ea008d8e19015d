"""What the API shows of connections and models, and what it takes."""

from typing import Any

from rest_framework import serializers

from apps.providers.batches import offers_batches
from apps.providers.catalogue import PricedModel
from apps.providers.connection_values import MOST_CONCURRENT_CALLS
from apps.providers.models import PriceOverride, ProviderAPI, ProviderCredential
from apps.providers.price_rules import plain_amount

APIS = ProviderAPI.values


class ConnectionSerializer(serializers.Serializer[Any]):
    """A provider connection without its secrets."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["provider_connection"])
    name = serializers.CharField(help_text="Stands before the model, as in openai/gpt-4o-mini.")
    api = serializers.ChoiceField(choices=APIS, help_text="What the server speaks.")
    every_project = serializers.BooleanField(
        help_text="True where it serves every project that has none of the same name."
    )
    base_url = serializers.CharField()
    has_key = serializers.BooleanField(help_text="False for a server that asks for none.")
    key_hint = serializers.CharField(help_text="The key's last four characters; empty for a short key.")
    header_names = serializers.ListField(child=serializers.CharField())
    models = serializers.ListField(
        child=serializers.CharField(), help_text="The enabled models; in each, * stands for any text."
    )
    concurrent_calls = serializers.IntegerField(
        allow_null=True, help_text="Calls at a time in each process; null does not limit."
    )
    listed_models = serializers.ListField(
        child=serializers.CharField(), help_text="What the provider offered at the last test."
    )
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    tested_at = serializers.DateTimeField(allow_null=True)
    test_passed = serializers.BooleanField(allow_null=True)
    test_message = serializers.CharField(help_text="The provider's own words at the last test.")
    offers_batches = serializers.BooleanField(
        allow_null=True,
        help_text="Whether batches can go through the provider's batch endpoint; null before a test.",
    )


class NewConnectionSerializer(serializers.Serializer[Any]):
    """A connection to be made."""

    name = serializers.CharField(max_length=40)
    api = serializers.ChoiceField(choices=APIS, default="openai")
    every_project = serializers.BooleanField(
        default=False, help_text="Serve every project of the organization. Needs organization.manage."
    )
    base_url = serializers.CharField(
        max_length=500,
        default="",
        allow_blank=True,
        help_text="Empty for OpenAI's or Anthropic's own address.",
    )
    api_key = serializers.CharField(
        max_length=4_000, allow_blank=True, help_text="Empty for a server that asks for none."
    )
    headers = serializers.DictField(child=serializers.CharField(), default=dict)
    models = serializers.ListField(child=serializers.CharField(), default=list)
    concurrent_calls = serializers.IntegerField(
        min_value=1, max_value=MOST_CONCURRENT_CALLS, allow_null=True, default=None
    )


class ConnectionChangeSerializer(serializers.Serializer[Any]):
    """Changes of a connection. A new `base_url` or new `headers` demand the `api_key` again."""

    base_url = serializers.CharField(max_length=500, required=False)
    api_key = serializers.CharField(max_length=4_000, required=False, allow_blank=True)
    headers = serializers.DictField(child=serializers.CharField(), required=False)
    models = serializers.ListField(child=serializers.CharField(), required=False)
    concurrent_calls = serializers.IntegerField(
        min_value=1, max_value=MOST_CONCURRENT_CALLS, allow_null=True, required=False
    )


class ModelPriceSerializer(serializers.Serializer[Any]):
    """What a million tokens cost, in US dollars."""

    status = serializers.ChoiceField(choices=["priced", "free", "unknown", "sandbox"])
    input = serializers.CharField(allow_null=True)
    output = serializers.CharField(allow_null=True)
    cached_input = serializers.CharField(allow_null=True, help_text="Null where it costs as other input.")
    origin = serializers.CharField(help_text="The price list with its version, or `own price`.")
    price_id = serializers.CharField(help_text="The list's name of the price, or the id of the own price.")
    currency = serializers.ChoiceField(choices=["USD"])


class ModelSerializer(serializers.Serializer[Any]):
    """A model that a prompt can name by its id."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["model"])
    connection = serializers.CharField()
    sandbox = serializers.BooleanField()
    default = serializers.BooleanField(help_text="Whether new prompts of the project begin with it.")
    price_per_million_tokens = ModelPriceSerializer()


class DefaultModelSerializer(serializers.Serializer[Any]):
    """The model that new prompts of the project begin with."""

    object = serializers.ChoiceField(choices=["default_model"], read_only=True)
    model = serializers.CharField(
        allow_null=True,
        max_length=255,
        help_text="connection/model; null for the sandbox's.",
    )


class PriceSerializer(serializers.Serializer[Any]):
    """An organization's own price, in US dollars for a million tokens."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["price"])
    model = serializers.CharField(help_text="connection/model, in which * stands for any text.")
    every_project = serializers.BooleanField()
    input = serializers.CharField()
    output = serializers.CharField()
    cached_input = serializers.CharField(allow_null=True)
    batch_discount = serializers.CharField(
        allow_null=True,
        help_text="Percent off at the provider's batch endpoint; null for what the provider publishes.",
    )
    currency = serializers.ChoiceField(choices=["USD"])
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class NewPriceSerializer(serializers.Serializer[Any]):
    """A price to be made. Runs from `starts_at` on are priced by it; what is past keeps its price."""

    model = serializers.CharField(max_length=255)
    input = serializers.DecimalField(max_digits=14, decimal_places=6, min_value=0)
    output = serializers.DecimalField(max_digits=14, decimal_places=6, min_value=0)
    cached_input = serializers.DecimalField(
        max_digits=14, decimal_places=6, min_value=0, allow_null=True, default=None
    )
    batch_discount = serializers.DecimalField(
        max_digits=5, decimal_places=2, min_value=0, max_value=100, allow_null=True, default=None
    )
    starts_at = serializers.DateTimeField(allow_null=True, default=None, help_text="Now unless given.")
    ends_at = serializers.DateTimeField(allow_null=True, default=None)
    every_project = serializers.BooleanField(
        default=False, help_text="Hold for every project of the organization. Needs organization.manage."
    )


class PriceEndSerializer(serializers.Serializer[Any]):
    """When a price ends."""

    ends_at = serializers.DateTimeField(allow_null=True, default=None, help_text="Now unless given.")


def connection_body(credential: ProviderCredential) -> dict[str, Any]:
    """A connection as the API shows it."""
    return {
        "id": credential.public_id,
        "object": "provider_connection",
        "name": credential.name,
        "api": credential.api,
        "every_project": credential.project_id is None,
        "base_url": credential.base_url,
        "has_key": credential.sealed_key is not None,
        "key_hint": credential.key_hint,
        "header_names": credential.header_names,
        "models": credential.model_ids,
        "concurrent_calls": credential.concurrent_calls,
        "listed_models": credential.listed_models,
        "created_at": credential.created_at,
        "updated_at": credential.updated_at,
        "tested_at": credential.tested_at,
        "test_passed": credential.test_passed,
        "test_message": credential.test_message,
        "offers_batches": offers_batches(credential),
    }


def price_body(override: PriceOverride) -> dict[str, Any]:
    """An own price as the API shows it."""
    cached = override.cached_input_price
    return {
        "id": override.public_id,
        "object": "price",
        "model": override.pattern,
        "every_project": override.project_id is None,
        "input": plain_amount(override.input_price),
        "output": plain_amount(override.output_price),
        "cached_input": None if cached is None else plain_amount(cached),
        "batch_discount": None if override.batch_discount is None else plain_amount(override.batch_discount),
        "currency": "USD",
        "starts_at": override.starts_at,
        "ends_at": override.ends_at,
        "created_at": override.created_at,
    }


def model_body(model: PricedModel, default: str) -> dict[str, Any]:
    """A model as the API shows it."""
    return {
        "id": model.choice.reference,
        "object": "model",
        "connection": model.choice.connection,
        "sandbox": model.choice.sandbox,
        "default": model.choice.reference == default,
        "price_per_million_tokens": {
            "status": model.current.status,
            "input": model.current.input,
            "output": model.current.output,
            "cached_input": model.current.cached_input,
            "origin": model.current.source,
            "price_id": model.current.price_id,
            "currency": "USD",
        },
    }

"""What the API shows of connections and models, and what it takes."""

from typing import Any

from rest_framework import serializers

from apps.providers.catalogue import PricedModel
from apps.providers.models import ProviderCredential


class ConnectionSerializer(serializers.Serializer[Any]):
    """A provider connection without its secrets."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["provider_connection"])
    name = serializers.CharField(help_text="Stands before the model, as in openai/gpt-4o-mini.")
    base_url = serializers.CharField()
    has_key = serializers.BooleanField(help_text="False for a server that asks for none.")
    key_hint = serializers.CharField(help_text="The key's last four characters; empty for a short key.")
    header_names = serializers.ListField(child=serializers.CharField())
    models = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    tested_at = serializers.DateTimeField(allow_null=True)
    test_passed = serializers.BooleanField(allow_null=True)
    test_message = serializers.CharField(help_text="The provider's own words at the last test.")


class NewConnectionSerializer(serializers.Serializer[Any]):
    """A connection to be made."""

    name = serializers.CharField(max_length=40)
    base_url = serializers.CharField(max_length=500)
    api_key = serializers.CharField(
        max_length=4_000, allow_blank=True, help_text="Empty for a server that asks for none."
    )
    headers = serializers.DictField(child=serializers.CharField(), default=dict)
    models = serializers.ListField(child=serializers.CharField(), default=list)


class ConnectionChangeSerializer(serializers.Serializer[Any]):
    """Changes of a connection. A new `base_url` or new `headers` demand the `api_key` again."""

    base_url = serializers.CharField(max_length=500, required=False)
    api_key = serializers.CharField(max_length=4_000, required=False, allow_blank=True)
    headers = serializers.DictField(child=serializers.CharField(), required=False)
    models = serializers.ListField(child=serializers.CharField(), required=False)


class ModelPriceSerializer(serializers.Serializer[Any]):
    """What a million tokens cost, in US dollars."""

    status = serializers.ChoiceField(choices=["priced", "free", "unknown", "sandbox"])
    input = serializers.CharField(allow_null=True)
    output = serializers.CharField(allow_null=True)
    currency = serializers.ChoiceField(choices=["USD"])


class ModelSerializer(serializers.Serializer[Any]):
    """A model that a prompt can name by its id."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["model"])
    connection = serializers.CharField()
    sandbox = serializers.BooleanField()
    price_per_million_tokens = ModelPriceSerializer()


def connection_body(credential: ProviderCredential) -> dict[str, Any]:
    """A connection as the API shows it."""
    return {
        "id": credential.public_id,
        "object": "provider_connection",
        "name": credential.name,
        "base_url": credential.base_url,
        "has_key": credential.sealed_key is not None,
        "key_hint": credential.key_hint,
        "header_names": credential.header_names,
        "models": credential.model_ids,
        "created_at": credential.created_at,
        "updated_at": credential.updated_at,
        "tested_at": credential.tested_at,
        "test_passed": credential.test_passed,
        "test_message": credential.test_message,
    }


def model_body(model: PricedModel) -> dict[str, Any]:
    """A model as the API shows it."""
    return {
        "id": model.choice.reference,
        "object": "model",
        "connection": model.choice.connection,
        "sandbox": model.choice.sandbox,
        "price_per_million_tokens": {
            "status": model.status,
            "input": model.input_price,
            "output": model.output_price,
            "currency": "USD",
        },
    }

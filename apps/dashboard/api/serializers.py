"""What the API shows of the gallery, and what it takes."""

from typing import Any

from rest_framework import serializers

from apps.dashboard.gallery import Example
from apps.dashboard.gallery.installing import Installed
from apps.prompts.api.serializers import ContentSerializer


class ExampleRowSerializer(serializers.Serializer[Any]):
    """A test row."""

    variables = serializers.DictField()
    expected = serializers.CharField(allow_null=True)


class ExampleSerializer(ContentSerializer):
    """An example: a prompt that can be installed, with its test rows."""

    object = serializers.CharField(default="example")
    key = serializers.CharField(help_text="Its name in addresses.")
    title = serializers.CharField()
    name = serializers.CharField(help_text="The prompt's name, unless another is given.")
    description = serializers.CharField()
    dataset = serializers.CharField(help_text="The dataset's name, unless another is given.")
    rows = ExampleRowSerializer(many=True)


class GallerySerializer(serializers.Serializer[Any]):
    """All examples."""

    object = serializers.CharField(default="list")
    data = ExampleSerializer(many=True)  # type: ignore[assignment]
    has_more = serializers.BooleanField(default=False)
    next_cursor = serializers.CharField(allow_null=True)


class InstallSerializer(serializers.Serializer[Any]):
    """Other names than the example's own."""

    name = serializers.CharField(max_length=255, required=False, default="")
    dataset = serializers.CharField(max_length=120, required=False, default="")


class InstalledSerializer(serializers.Serializer[Any]):
    """What an installation made."""

    object = serializers.CharField(default="installed_example")
    example = serializers.CharField()
    prompt = serializers.CharField()
    prompt_name = serializers.CharField()
    dataset = serializers.CharField()
    dataset_version = serializers.CharField()
    rows = serializers.IntegerField()


def example_body(example: Example) -> dict[str, Any]:
    """An example as the API shows it."""
    content = example.content
    return {
        "object": "example",
        "key": example.key,
        "title": example.title,
        "name": example.name,
        "description": example.description,
        "messages": list(content.messages),
        "variables": list(content.variables),
        "model": content.model,
        "parameters": content.parameters,
        "output_schema": content.output_schema,
        "tools": list(content.tools),
        "dataset": example.dataset,
        "rows": [{"variables": row.variables, "expected": row.expected} for row in example.rows],
    }


def installed_body(example: Example, made: Installed) -> dict[str, Any]:
    """What an installation made, as the API shows it."""
    return {
        "object": "installed_example",
        "example": example.key,
        "prompt": made.prompt.public_id,
        "prompt_name": made.prompt.name,
        "dataset": made.dataset_version.dataset.public_id,
        "dataset_version": made.dataset_version.public_id,
        "rows": len(example.rows),
    }

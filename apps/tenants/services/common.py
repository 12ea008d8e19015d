"""What several services check alike."""

from apps.core import errors


def cleaned_name(name: str) -> str:
    """A name with single spaces. Raises InvalidRequest for an empty one or one of over 100 characters."""
    name = " ".join(name.split())
    if not name:
        raise errors.InvalidRequest("Give it a name.", code="parameter_missing", param="name")
    if len(name) > 100:
        raise errors.InvalidRequest("A name has at most 100 characters.", param="name")
    return name

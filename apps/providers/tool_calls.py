"""Tool calls in OpenAI's form: putting together what a stream brings in pieces."""

from typing import Any, Final

MOST_CALLS: Final = 128


class ToolCallPieces:
    """The calls of one answer, by their index."""

    def __init__(self) -> None:
        self._calls: dict[int, dict[str, str]] = {}
        self._arguments: dict[int, list[str]] = {}

    def add(self, piece: dict[str, Any]) -> dict[str, Any]:
        """Take a piece (`index`, `id`, `name`, `arguments`; each may be None); OpenAI's delta for it.

        A piece without index goes on with the last call, or begins one if it has an id.
        Raises ValueError for more calls than an answer can have.
        """
        index = self._index(piece)
        is_new = index not in self._calls
        call = self._calls.setdefault(index, {"id": "", "name": ""})
        if len(self._calls) > MOST_CALLS:
            message = "The answer has too many tool calls."
            raise ValueError(message)
        for field in ("id", "name"):
            call[field] = call[field] or str(piece.get(field) or "")
        arguments = _text(piece.get("arguments"))
        self._arguments.setdefault(index, []).append(arguments)
        function = {"arguments": arguments}
        if not is_new:
            return {"index": index, "function": function}
        call["id"] = call["id"] or f"call_{index}"
        function = {"name": call["name"], **function}
        return {"index": index, "id": call["id"], "type": "function", "function": function}

    def whole(self) -> tuple[dict[str, Any], ...]:
        """The calls so far, in order."""
        return tuple(
            tool_call(call["id"], call["name"], "".join(self._arguments[index]))
            for index, call in sorted(self._calls.items())
        )

    def _index(self, piece: dict[str, Any]) -> int:
        index = piece.get("index")
        if isinstance(index, int):
            return index
        begins = bool(piece.get("id")) or not self._calls
        return len(self._calls) if begins else max(self._calls)


def tool_call(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    """A whole call; `arguments` is JSON text."""
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments or "{}"}}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""

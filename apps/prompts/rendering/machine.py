"""Runs checked templates on minijinja within bounds of time, memory and output.

Four bounds together: the grammar (``grammar.py``) leaves nothing that grows memory; fuel stops loops
and shrinks with the longest text, since copying or searching a text costs one step whatever its
length; every value put out passes a counting finalizer; every look into data is metered.
"""

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from minijinja import Environment, TemplateError

from apps.core.errors import InvalidRequest
from apps.prompts.rendering import data
from apps.prompts.rendering.filters import FILTERS, TESTS
from apps.prompts.rendering.grammar import (
    CheckedTemplate,
    Problem,
    TemplateProblem,
    Variable,
    inspect_template,
)
from apps.prompts.rendering.values import check_size, coerce_values

MAX_OUTPUT_CHARACTERS: Final = 1024 * 1024
MAX_FUEL: Final = 2**17
# A step may put out the longest text inside a loop, so the steps times that text bound the memory.
TEXT_CHARACTERS: Final = 2**25
# A step may copy or search the longest value: about a nanosecond a character.
SCANNED_CHARACTERS: Final = 2**31
CACHED_CHARACTERS: Final = 2**24
_NAME: Final = "message"
_BUILT_IN: Final = re.compile(r"`([^`]{1,200})`")

# Taken out of the engine as well, so that a template the check misread still finds nothing to grow with.
_REMOVED_FILTERS: Final = (
    *("abs", "attr", "batch", "bool", "center", "chain", "dateformat", "datetimeformat", "dictsort", "e"),
    *("escape", "filesizeformat", "float", "format", "groupby", "int", "lines", "list", "map", "max", "min"),
    *("pluralize", "pprint", "random", "reject", "rejectattr", "reverse", "safe", "select", "selectattr"),
    *("slice", "sort", "split", "string", "striptags", "sum", "timeformat", "unique", "urlencode", "urlize"),
    *("wordcount", "wordwrap", "zip"),
)
_REMOVED_GLOBALS: Final = (
    "cycler", "debug", "dict", "joiner", "lipsum", "namespace", "now", "randrange", "range",
)  # fmt: skip


def render(
    messages: Sequence[Mapping[str, Any]],
    variables: Iterable[Mapping[str, Any]],
    values: Mapping[str, Any],
    mark: Callable[[str], str] | None = None,
) -> list[dict[str, Any]]:
    """The messages with every template filled in; roles and other keys are kept.

    `mark` is asked for the form of every text and JSON value that a template puts out.

    Raises InvalidRequest: ``variable_missing`` (param ``variables.<name>``), ``variable_invalid``,
    ``variables_too_large``, ``rendered_too_large``, ``template_too_expensive``, ``template_failed``.
    """
    plain = coerce_values(variables, values)
    longest = check_size(plain)
    remaining = MAX_OUTPUT_CHARACTERS
    rendered: list[dict[str, Any]] = []
    for number, message in enumerate(messages):
        text = render_text(message["content"], plain, longest=longest, cap=remaining, place=number, mark=mark)
        remaining -= len(text)
        rendered.append({**message, "content": text})
    return rendered


def render_text(
    template: str,
    plain: Mapping[str, Any],
    *,
    longest: int,
    cap: int,
    place: int = 0,
    mark: Callable[[str], str] | None = None,
) -> str:
    """One template with coerced values. ``place`` is the message's index, named in errors."""
    if "{" not in template:
        _check_length(template, cap, place)
        return template
    before = data.set_meter(data.Meter(cap, mark))
    try:
        environment = _cache.get(template).environment(longest)
        text = environment.render_template(_NAME, **{name: data.face(value) for name, value in plain.items()})
        if data.current_meter().exceeded is not None:
            raise data.current_meter().exceeded  # type: ignore[misc]
    except data.RenderLimit as limit:
        raise _refused(limit, place) from None
    except TemplateProblem as problem:
        raise _not_allowed(problem, place) from None
    except (TemplateError, ValueError, TypeError, OverflowError) as error:
        raise _explained(error, plain, place) from None
    finally:
        data.set_meter(before)
    _check_length(text, cap, place)
    return text


def check_template(text: str) -> tuple[Variable, ...]:
    """The variables that a template reads, in order of first use. Raises TemplateProblem."""
    checked = inspect_template(text)
    problem = _compile_problem(text, checked)
    if problem is not None:
        raise TemplateProblem((problem,))
    return checked.variables


def _compile_problem(template: str, checked: CheckedTemplate) -> Problem | None:
    """Whether the run-time engine reads a checked template as the checker did; None when it does.

    Two parsers could disagree; then the check would prove nothing, so a disagreement is refused.
    """
    try:
        environment = _environment(template, MAX_FUEL)
        found = environment.undeclared_variables_in_template(_NAME) - {"loop"}
    except TemplateError as error:
        return Problem(f"The template could not be read: {error.detail or error.kind}.", error.line or 1, 1)
    if found - {variable.name for variable in checked.variables}:
        return Problem("The template is ambiguous; write it more plainly.", 1, 1)
    return None


def _check_length(text: str, cap: int, place: int) -> None:
    if len(text) > cap:
        raise _refused(data.too_large(MAX_OUTPUT_CHARACTERS), place)


def _refused(limit: data.RenderLimit, place: int) -> InvalidRequest:
    return InvalidRequest(limit.message, code=limit.code, param=f"messages.{place}")


def _not_allowed(problem: TemplateProblem, place: int) -> InvalidRequest:
    where = f"message {place + 1}, line {problem.line}, column {problem.column}"
    return InvalidRequest(f"{problem.message} ({where})", code="template_invalid", param=f"messages.{place}")


def _explained(error: Exception, plain: Mapping[str, Any], place: int) -> InvalidRequest:
    kind = getattr(error, "kind", "")
    line = getattr(error, "line", None) or 1
    where = f"message {place + 1}, line {line}"
    if kind == "OutOfFuel":
        return _refused(data.too_expensive(), place)
    if kind == "UndefinedError":
        found = _BUILT_IN.search(getattr(error, "detail", None) or "")
        expression = found.group(1) if found else "a value"
        root = re.split(r"[.\[]", expression)[0]
        param = f"variables.{root}" if root in plain else "variables"
        message = f"'{expression}' has no value ({where})."
        return InvalidRequest(message, code="variable_missing", param=param)
    reason = getattr(error, "detail", None) or kind or str(error)
    return InvalidRequest(
        f"The template failed at {where}: {reason}.", code="template_failed", param=f"messages.{place}"
    )


def _finalize(value: Any) -> str:
    text = data.as_text(value)
    meter = data.current_meter()
    if meter.mark is not None and not isinstance(value, int | float):
        text = meter.mark(text)
    meter.count_output(len(text))
    return text


def _environment(template: str, fuel: int) -> Environment:
    environment = Environment(
        fuel=fuel,
        keep_trailing_newline=True,
        finalizer=_finalize,
        debug=True,  # errors then name the expression; costs nothing until one happens
        pycompat=False,
    )
    # A missing field is false in a condition and an error in the output. The stubs do not know the word.
    environment.undefined_behavior = "semi_strict"  # type: ignore[assignment]
    for name in _REMOVED_FILTERS:
        environment.remove_filter(name)
    for name in _REMOVED_GLOBALS:
        environment.remove_global(name)
    for name, function in FILTERS.items():
        environment.add_filter(name, function)
    for name, test in TESTS.items():
        environment.add_test(name, test)
    environment.add_template(_NAME, template)
    return environment


class _Compiled:
    """A template that passed the check, with one engine for each amount of fuel it was run with."""

    def __init__(self, template: str) -> None:
        self._template = template
        text = inspect_template(template).longest_text_in_loop
        self._fuel = min(MAX_FUEL, TEXT_CHARACTERS // max(text, 1))
        self._environments: dict[int, Environment] = {}

    def environment(self, longest: int) -> Environment:
        """The engine for values whose longest text has this many characters."""
        fuel = _power_of_two(min(self._fuel, SCANNED_CHARACTERS // max(longest, 1)))
        environment = self._environments.get(fuel)
        if environment is None:
            environment = self._environments[fuel] = _environment(self._template, fuel)
        return environment


def _power_of_two(number: int) -> int:
    return 1 << (max(number, 1).bit_length() - 1)


class _Cache:
    """Compiled templates by the hash of their text, the least recently used dropped first."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._entries: OrderedDict[bytes, tuple[_Compiled, int]] = OrderedDict()
        self._characters = 0

    def get(self, template: str) -> _Compiled:
        """Raises TemplateProblem when the template is not allowed."""
        key = hashlib.blake2b(template.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        with self._lock:
            found = self._entries.get(key)
            if found is not None:
                self._entries.move_to_end(key)
                return found[0]
        compiled = _Compiled(template)
        with self._lock:
            if key not in self._entries:
                self._entries[key] = (compiled, len(template) + 1000)
                self._characters += len(template) + 1000
            while self._characters > self._capacity:
                _, (_, size) = self._entries.popitem(last=False)
                self._characters -= size
        return compiled


_cache: Final = _Cache(CACHED_CHARACTERS)

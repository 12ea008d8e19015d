"""Runs checked templates on minijinja within bounds of time, memory and output.

Four bounds together: the grammar (``grammar.py``) leaves nothing that grows memory; fuel stops loops
and shrinks with the longest text, since copying or searching a text costs one step whatever its
length; every value put out passes a counting finalizer; every look into data is metered.
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
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
from apps.prompts.rendering.values import measured_values

MAX_OUTPUT_CHARACTERS: Final = 1024 * 1024
MAX_FUEL: Final = 2**17
# A step may put out the longest text inside a loop, so the steps times that text bound the memory.
TEXT_CHARACTERS: Final = 2**25
# A step may copy or search the longest value: about a nanosecond a character.
SCANNED_CHARACTERS: Final = 2**31
CACHED_CHARACTERS: Final = 2**24
_NAME: Final = "message"
_ABSENT: Final = object()
# A variable put out and nothing else; what begins any other tag.
_PLAIN_TAG: Final = re.compile(r"\{\{[ \t]*([A-Za-z][A-Za-z0-9_]*)[ \t]*\}\}")
_TAG: Final = re.compile(r"\{[{%#]")
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
    plain, longest = measured_values(variables, values)
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
    try:
        compiled = _cache.get(template)
    except TemplateProblem as problem:
        raise _not_allowed(problem, place) from None
    text = compiled.fill(plain, cap, mark)
    return text if text is not None else _run(compiled, plain, longest, cap, place, mark)


def _run(
    compiled: "_Compiled",
    plain: Mapping[str, Any],
    longest: int,
    cap: int,
    place: int,
    mark: Callable[[str], str] | None,
) -> str:
    """A template on the engine."""
    before = data.set_meter(data.Meter(cap, mark))
    try:
        environment = compiled.environment(longest)
        text = environment.render_template(_NAME, **{name: data.face(value) for name, value in plain.items()})
        if data.current_meter().exceeded is not None:
            raise data.current_meter().exceeded  # type: ignore[misc]
    except data.RenderLimit as limit:
        raise _refused(limit, place) from None
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
    meter = data.current_meter()
    text = _put_out(value, meter.mark)
    meter.count_output(len(text))
    return text


def _put_out(value: Any, mark: Callable[[str], str] | None) -> str:
    """How a value stands in the prompt; numbers are not marked."""
    text = data.as_text(value)
    return text if mark is None or isinstance(value, int | float) else mark(text)


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
    """A template that passed the check, with one engine for each amount of fuel it was run with.

    One that only puts out variables, as most do, needs no engine: its text lies between their names.
    """

    def __init__(self, template: str) -> None:
        self._template = template
        checked = inspect_template(template)
        self._parts = _plain_parts(template, {variable.name for variable in checked.variables})
        text = checked.longest_text_in_loop
        self._fuel = min(MAX_FUEL, TEXT_CHARACTERS // max(text, 1))
        self._environments: dict[int, Environment] = {}

    def fill(self, plain: Mapping[str, Any], cap: int, mark: Callable[[str], str] | None) -> str | None:
        """The text without the engine; None where that has to run, also to say what is wrong."""
        if self._parts is None:
            return None
        parts = self._parts.copy()
        size = 0
        for place in range(1, len(parts), 2):
            name = parts[place]
            value = plain.get(name, _ABSENT)
            # The engine has a spelling of its own for numbers such as -0.0.
            if value is _ABSENT or isinstance(value, float):
                return None
            plainly = mark is None and type(value) is str
            parts[place] = text = value if plainly else _put_out(data.face(value), mark)
            size += len(text)
            if size > cap:
                return None
        whole = "".join(parts)
        return whole if len(whole) <= cap else None

    def environment(self, longest: int) -> Environment:
        """The engine for values whose longest text has this many characters."""
        fuel = _power_of_two(min(self._fuel, SCANNED_CHARACTERS // max(longest, 1)))
        environment = self._environments.get(fuel)
        if environment is None:
            environment = self._environments[fuel] = _environment(self._template, fuel)
        return environment


def _plain_parts(template: str, names: Set[str]) -> list[str] | None:
    """Text and names in turn; None where a template does more than to put out variables."""
    parts = _PLAIN_TAG.split(template)
    if not names >= set(parts[1::2]) or any(_TAG.search(text) for text in parts[::2]):
        return None
    return None if any(text.endswith("{") for text in parts[:-1:2]) else parts


def _power_of_two(number: int) -> int:
    return 1 << (max(number, 1).bit_length() - 1)


class _Cache:
    """Compiled templates by their text, the least recently used dropped first.

    A text keeps its own hash: whoever asks with the same object, as the runs of a prompt do, pays nothing.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[_Compiled, int]] = OrderedDict()
        self._characters = 0

    def get(self, template: str) -> _Compiled:
        """Raises TemplateProblem when the template is not allowed."""
        with self._lock:
            found = self._entries.get(template)
            if found is not None:
                self._entries.move_to_end(template)
                return found[0]
        compiled = _Compiled(template)
        with self._lock:
            if template not in self._entries:
                self._entries[template] = (compiled, len(template) + 1000)
                self._characters += len(template) + 1000
            while self._characters > self._capacity:
                _, (_, size) = self._entries.popitem(last=False)
                self._characters -= size
        return compiled


_cache: Final = _Cache(CACHED_CHARACTERS)

"""What a template may say: jinja2's parser (as a parser only) and a short list of allowed nodes.

Everything outside the list is refused when a version is saved, so that rendering never meets an
expression that can grow memory: no arithmetic, no concatenation, no calls, no slices, no macros.
"""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from jinja2 import Environment, TemplateSyntaxError, nodes

from apps.prompts.rendering.filters import FILTERS, TESTS

MAX_TEMPLATE_CHARACTERS: Final = 100_000
MAX_DEPTH: Final = 24
MAX_LITERAL_ITEMS: Final = 100
MAX_PROBLEMS: Final = 20
NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}\Z")
LOOP_FIELDS: Final = frozenset(
    {"index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0"}
)

RESERVED: Final = frozenset({"self", "super", "caller", "varargs", "kwargs", "loop"})

# Only lexes and parses: nothing is ever rendered or compiled by jinja2.
_parser: Final = Environment(keep_trailing_newline=True, extensions=())  # noqa: S701


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a template is refused, and where; line and column count from 1."""

    message: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Variable:
    """A name that a template reads, at its first use; loop values are not variables.

    `structured`: a loop goes over it or a field of it is read, so its value can't be a plain text.
    """

    name: str
    line: int
    column: int
    structured: bool = False

    @property
    def likely_type(self) -> str:
        """The type to propose for it."""
        return "json" if self.structured else "text"

    def merged(self, later: "Variable") -> "Variable":
        """This first use together with what a later one tells."""
        return replace(self, structured=self.structured or later.structured)


class TemplateProblem(Exception):
    """A template is not allowed. ``problems`` is never empty; line and column are the first one's."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems[0].message)
        self.problems = problems
        self.message = problems[0].message
        self.line = problems[0].line
        self.column = problems[0].column


@dataclass(frozen=True, slots=True)
class CheckedTemplate:
    """What rendering has to know of an allowed template."""

    variables: tuple[Variable, ...]
    longest_text_in_loop: int


def inspect_template(text: str) -> CheckedTemplate:
    """Check a template and measure it. Raises TemplateProblem with every problem found."""
    if len(text) > MAX_TEMPLATE_CHARACTERS:
        message = f"A message may hold at most {MAX_TEMPLATE_CHARACTERS:,} characters."
        raise TemplateProblem((Problem(message, 1, 1),))
    places = _Places(text)
    try:
        tree = _parser.parse(text)
    except TemplateSyntaxError as error:
        line = error.lineno
        raise TemplateProblem((Problem(_sentence(error.message), line, places.tag_column(line)),)) from None
    except RecursionError:
        raise TemplateProblem((Problem("The template is nested too deeply.", 1, 1),)) from None
    checker = _Checker(places)
    checker.visit_all(tree.body, depth=0)
    if checker.problems:
        raise TemplateProblem(tuple(checker.problems[:MAX_PROBLEMS]))
    variables = sorted(checker.variables.values(), key=lambda variable: (variable.line, variable.column))
    return CheckedTemplate(tuple(variables), checker.longest_text_in_loop)


def _sentence(message: str | None) -> str:
    text = (message or "The template could not be read").strip().rstrip(".")
    return text[:1].upper() + text[1:] + "."


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    value: str
    column: int


class _Places:
    """Where the words of a template stand. jinja2's tree knows lines only, so its lexer gives columns.

    Also refuses what the two parsers could read differently: raw blocks, and white space inside tags
    that is not a blank, a tab or a line end.
    """

    def __init__(self, text: str) -> None:
        self._tokens: dict[int, list[_Token]] = {}
        self._columns: dict[tuple[int, str], deque[int]] = {}
        line = column = 1
        try:
            for _, kind, value in _parser.lex(text):
                if kind not in ("data", "comment", "linecomment"):
                    self._check(kind, value, line, column)
                    self._tokens.setdefault(line, []).append(_Token(kind, value, column))
                    self._columns.setdefault((line, value), deque()).append(column)
                breaks = value.count("\n")
                line += breaks
                column = len(value) - value.rfind("\n") if breaks else column + len(value)
        except TemplateSyntaxError as error:
            starts = [token.column for token in self._tokens.get(line, ()) if token.kind.endswith("_begin")]
            problem = Problem(_sentence(error.message), line, starts[-1] if starts else 1)
            raise TemplateProblem((problem,)) from None

    @staticmethod
    def _check(kind: str, value: str, line: int, column: int) -> None:
        if kind.startswith("raw"):
            message = "Raw blocks are not available. Write {{ '{{' }} for two braces."
            raise TemplateProblem((Problem(message, line, column),))
        if kind == "whitespace" and value.strip(" \t\r\n"):
            message = "A tag holds an unusual white-space character; use plain blanks."
            raise TemplateProblem((Problem(message, line, column),))

    def tag_column(self, line: int) -> int:
        """The column of the first tag on a line."""
        tokens = self._tokens.get(line)
        return tokens[0].column if tokens else 1

    def column(self, line: int, word: str) -> int:
        """The column of the next unused occurrence of a word inside the tags of a line."""
        unused = self._columns.get((line, word))
        return unused.popleft() if unused else self.tag_column(line)


_STATEMENTS: Final[dict[type[nodes.Node], str]] = {
    nodes.Assign: "set", nodes.AssignBlock: "set", nodes.Macro: "macro", nodes.CallBlock: "call",
    nodes.FilterBlock: "filter", nodes.Include: "include", nodes.Import: "import",
    nodes.FromImport: "from", nodes.Extends: "extends", nodes.Block: "block", nodes.With: "with",
}  # fmt: skip
_EXPRESSIONS: Final[dict[type[nodes.Node], str]] = {
    nodes.Concat: "Joining with ~ is not available; write the values next to each other.",
    nodes.Slice: "Slices are not available; use first, last, or an index.",
    nodes.Dict: "A dictionary cannot be written in a template.",
    nodes.Call: "Calls are not available; use a filter, as in {{ name|upper }}.",
}


class _Checker:
    """Walks the tree once; collects problems, variables and the longest text inside a loop."""

    def __init__(self, places: _Places) -> None:
        self.problems: list[Problem] = []
        self.variables: dict[str, Variable] = {}
        self.longest_text_in_loop = 0
        self._places = places
        self._scopes: list[frozenset[str]] = []

    def visit_all(self, items: list[nodes.Node], depth: int) -> None:
        for item in items:
            self.visit(item, depth)

    def visit(self, node: nodes.Node, depth: int) -> None:
        if depth > MAX_DEPTH:
            self._problem(node, f"The template is nested more than {MAX_DEPTH} levels deep.")
            return
        handler = getattr(self, f"_visit_{type(node).__name__.lower()}", None)
        if handler is None:
            self._refuse(node)
        else:
            handler(node, depth + 1)

    def _refuse(self, node: nodes.Node) -> None:
        if isinstance(node, nodes.BinExpr) and not isinstance(node, nodes.And | nodes.Or):
            self._problem(node, "Arithmetic is not available in templates.", node.operator)
            return
        word = _STATEMENTS.get(type(node))
        if word is not None:
            self._problem(node, f"{{% {word} %}} is not available; templates know if and for.", word)
            return
        self._problem(node, _EXPRESSIONS.get(type(node), "This expression is not available in templates."))

    def _problem(self, node: nodes.Node, message: str, word: str = "") -> None:
        column = self._places.column(node.lineno, word) if word else self._places.tag_column(node.lineno)
        self.problems.append(Problem(message, node.lineno, column))

    def _children(self, node: nodes.Node) -> Iterator[nodes.Node]:
        return node.iter_child_nodes()

    def _visit_children(self, node: nodes.Node, depth: int) -> None:
        for child in self._children(node):
            self.visit(child, depth)

    _visit_output = _visit_compare = _visit_operand = _visit_and = _visit_or = _visit_not = _visit_children

    def _visit_templatedata(self, node: nodes.TemplateData, depth: int) -> None:
        if self._scopes:
            self.longest_text_in_loop = max(self.longest_text_in_loop, len(node.data))

    def _visit_const(self, node: nodes.Const, depth: int) -> None:
        if self._scopes and isinstance(node.value, str):
            self.longest_text_in_loop = max(self.longest_text_in_loop, len(node.value))

    def _visit_neg(self, node: nodes.Neg, depth: int) -> None:
        if not (isinstance(node.node, nodes.Const) and isinstance(node.node.value, int | float)):
            self._problem(node, "Arithmetic is not available in templates.")

    def _visit_name(self, node: nodes.Name, depth: int) -> None:
        if any(node.name in scope for scope in self._scopes):
            self._places.column(node.lineno, node.name)
        elif node.name == "loop":
            message = "loop has its meaning only inside {% for %}, as in loop.index."
            self._problem(node, message, "loop")
        elif self._check_name(node, node.name) and node.name not in self.variables:
            column = self._places.column(node.lineno, node.name)
            self.variables[node.name] = Variable(node.name, node.lineno, column)

    def _mark_structured(self, node: nodes.Node) -> None:
        while isinstance(node, nodes.Getattr | nodes.Getitem | nodes.Filter) and node.node is not None:
            node = node.node
        if not isinstance(node, nodes.Name) or any(node.name in scope for scope in self._scopes):
            return
        if node.name in self.variables:
            self.variables[node.name] = replace(self.variables[node.name], structured=True)

    def _check_name(self, node: nodes.Node, name: str) -> bool:
        if NAME.match(name) and name not in RESERVED:
            return True
        message = f"“{name[:64]}” cannot be a name: use a letter, then letters, digits or _, at most 64."
        self._problem(node, message, name)
        return False

    def _visit_getattr(self, node: nodes.Getattr, depth: int) -> None:
        self.visit(node.node, depth)
        self._mark_structured(node.node)
        if isinstance(node.node, nodes.Name) and node.node.name == "loop":
            if node.attr not in LOOP_FIELDS:
                self._problem(node, f"loop has no field “{node.attr[:64]}”.", node.attr)
            return
        self._check_name(node, node.attr)

    def _visit_getitem(self, node: nodes.Getitem, depth: int) -> None:
        self.visit(node.node, depth)
        if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            if node.arg.value.startswith("_"):
                self._problem(node, "A field name in brackets cannot start with an underscore.")
            self._mark_structured(node.node)
            return
        self.visit(node.arg, depth)

    def _visit_list(self, node: nodes.List | nodes.Tuple, depth: int) -> None:
        if len(node.items) > MAX_LITERAL_ITEMS:
            self._problem(node, f"A written list may hold at most {MAX_LITERAL_ITEMS} items.")
        for item in node.items:
            if isinstance(item, nodes.Const | nodes.Neg):
                self.visit(item, depth)
            else:
                self._problem(node, "A written list may hold only texts, numbers, true, false and none.")

    _visit_tuple = _visit_list

    def _visit_condexpr(self, node: nodes.CondExpr, depth: int) -> None:
        if node.expr2 is None:
            self._problem(node, "An inline if needs an else, as in {{ 'a' if x else 'b' }}.", "if")
        self._visit_children(node, depth)

    def _visit_if(self, node: nodes.If, depth: int) -> None:
        self.visit(node.test, depth)
        for body in (node.body, node.elif_, node.else_):
            self.visit_all(list(body), depth)

    def _visit_for(self, node: nodes.For, depth: int) -> None:
        self.visit(node.iter, depth)
        self._mark_structured(node.iter)
        if node.test is not None:
            self._problem(node, "A condition in {% for %} is not available; use {% if %} inside.", "for")
        if node.recursive:
            self._problem(node, "Recursive loops are not available.", "recursive")
        self._scopes.append(self._targets(node) | {"loop"})
        self.visit_all(node.body, depth)
        self._scopes.pop()
        self.visit_all(node.else_, depth)

    def _targets(self, node: nodes.For) -> frozenset[str]:
        target = node.target
        items = target.items if isinstance(target, nodes.Tuple) else [target]
        names = [item.name for item in items if isinstance(item, nodes.Name)]
        if len(names) != len(items) or len(names) > 2:
            self._problem(node, "A loop names one value, or a key and a value.", "for")
        for name in names:
            self._places.column(node.lineno, name)
            if name == "loop" or not self._check_name(node, name):
                self._problem(node, "A loop value needs another name.", "for")
        return frozenset(names)

    def _visit_filter(self, node: nodes.Filter, depth: int) -> None:
        self._visit_application(node, depth, "filter", frozenset(FILTERS))

    def _visit_test(self, node: nodes.Test, depth: int) -> None:
        self._visit_application(node, depth, "test", frozenset(TESTS))

    def _visit_application(
        self, node: nodes.Filter | nodes.Test, depth: int, word: str, known: frozenset[str]
    ) -> None:
        if node.node is None:
            self._refuse(node)
            return
        self.visit(node.node, depth)
        if node.name not in known:
            names = ", ".join(sorted(known))
            self._problem(node, f"There is no {word} “{node.name[:64]}”. Known: {names}.", node.name)
        if node.kwargs or node.dyn_args or node.dyn_kwargs:
            self._problem(node, f"Give a {word} plain arguments, without names.", node.name)
        for argument in node.args:
            self.visit(argument, depth)

"""Hostile templates, and a runner that tries each under a memory limit.

``python -m tests.prompts.template_probes`` prints one JSON line a probe: its number,
what happened, and how many seconds it took.
"""

import json
import resource
import sys
import time
from typing import Any

from apps.core.errors import InvalidRequest
from apps.prompts.rendering import TemplateProblem, check_template, render

MEGABYTE = 1024 * 1024
HEADROOM = 400 * MEGABYTE

LONG = "a" * MEGABYTE
MANY: list[Any] = [1] * 90_000
DEEP: Any = None
for _ in range(30):
    DEEP = {"a": DEEP}
RECORD = {"name": "Dana", "tags": ["x", "y"], "items": None}

# Templates that the check must refuse.
REFUSED: tuple[str, ...] = (
    "{{ 'a' * 9999999999 }}",
    "{{ 'a' * 100000000 }}",
    "{{ 9 ** (9 ** 7) }}",
    "{{ 'a'.ljust(10000000000) }}",
    "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
    "{{ range(99999999)|join('x') }}",
    "{% set s = 'ab' %}{% for i in x %}{% set s = s ~ s %}{% endfor %}{{ s }}",
    "{% set ns = namespace(s='a') %}{% for i in x %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
    "{{ x ~ x ~ x }}",
    "{{ x + x }}",
    "{{ x % x }}",
    "{{ x // 2 }}",
    "{{ -x }}",
    "{{ ''.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ x.__class__ }}",
    "{{ x['__class__'] }}",
    "{{ x._data }}",
    "{{ x|attr('__class__') }}",
    "{{ self }}",
    "{{ self.__init__.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ lipsum.__globals__ }}",
    "{{ x.append(1) }}",
    "{{ x.items() }}",
    "{{ x() }}",
    "{{ 'x'.format(x) }}",
    "{{ '%s'|format(x) }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% call m() %}{% endcall %}",
    "{% include 'message' %}",
    "{% import 'message' as m %}",
    "{% from 'message' import m %}",
    "{% extends 'message' %}",
    "{% block b %}{% endblock %}",
    "{% filter upper %}a{% endfilter %}",
    "{% with a = x %}{{ a }}{% endwith %}",
    "{% raw %}{{ x }}{% endraw %}",
    "{%\u00a0raw\u00a0%}{{ 'a' * 99999999 }}{%\u00a0endraw\u00a0%}",
    "{{ x[0:999999999] }}",
    "{{ {'a': x} }}",
    "{{ [x, x, x] }}",
    "{{ x|map('upper')|list }}",
    "{{ x|center(999999999) }}",
    "{{ x|wordwrap(1) }}",
    "{{ x|pprint }}",
    "{{ debug() }}",
    "{{ joiner(x) }}",
    "{% autoescape true %}{% endautoescape %}",
    "{% do x %}",
    "{% for i in x recursive %}{{ loop(x) }}{% endfor %}",
    "{% for i in x if i %}{% endfor %}",
    "{% for a, b, c in x %}{% endfor %}",
    "{{ loop.index }}",
    "{% for i in x %}{{ loop.cycle('a', 'b') }}{% endfor %}",
    "{{ x is divisibleby 3 }}",
    "{{ " + "(" * 3000 + "x" + ")" * 3000 + " }}",
    "{{ " + "not " * 3000 + "x }}",
    "{% if x %}" * 400 + "{% endif %}" * 400,
    "{{ x" + ".a" * 3000 + " }}",
    "{{ x" + "|upper" * 3000 + " }}",
    "x" * 100_001,
)

# Templates that are allowed and must stay within bounds with these values.
BOUNDED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("{% for i in x %}{% for j in x %}{% for k in x %}y{% endfor %}{% endfor %}{% endfor %}", {"x": MANY}),
    ("{% for i in x %}" + "literal " * 10_000 + "{% endfor %}", {"x": MANY}),
    ("{% for i in x %}{{ '" + "literal " * 10_000 + "' }}{% endfor %}", {"x": MANY}),
    ("{% for i in x %}{{ y }}{% endfor %}", {"x": MANY, "y": LONG}),
    ("{% for i in x %}{% if y == z %}{% endif %}{% endfor %}", {"x": MANY, "y": LONG, "z": LONG[:-1] + "b"}),
    ("{% for i in x %}{% if z in y %}{% endif %}{% endfor %}", {"x": MANY, "y": LONG, "z": "a" * 1000 + "b"}),
    ("{% for i in x %}{% if y|upper == 'A' %}{% endif %}{% endfor %}", {"x": MANY, "y": LONG}),
    ("{% for i in x %}{% if y|length > 3 %}{% endif %}{% endfor %}", {"x": MANY, "y": LONG}),
    ("{% for i in x %}{% if x == y %}{% endif %}{% endfor %}", {"x": MANY[:40_000], "y": MANY[:40_000]}),
    ("{% for i in x %}{% if i in y %}{% endif %}{% endfor %}", {"x": [2] * 40_000, "y": MANY[:40_000]}),
    ("{% for i in x %}{% for k, v in y|items %}{% endfor %}{% endfor %}", {"x": MANY[:9_000], "y": RECORD}),
    ("{{ x|join(y) }}", {"x": [""] * 9_000, "y": "a" * 100_000}),
    ("{{ x|replace('a', y) }}", {"x": LONG[:500_000], "y": "b" * 100_000}),
    ("{{ x|tojson|tojson|tojson|tojson|tojson|tojson|tojson|tojson }}", {"x": '"' * 500_000}),
    ("{{ x|indent(40) }}", {"x": "\n" * 500_000}),
    ("{{ x|tojson }}{{ x }}", {"x": DEEP}),
    ("{% if y %}{% endif %}" * 4_000, {"y": LONG}),
    ("{% if y in z %}{% endif %}" * 3_000, {"y": "b" * 1000, "z": LONG}),
    ("{{ x.items }}{{ x.keys is defined }}", {"x": RECORD}),
    ("{{ x.append }}", {"x": [1]}),
    ("{{ x.name.upper }}", {"x": RECORD}),
    ("{{ x['items']['keys'] }}", {"x": RECORD}),
    ("{{ items }}{{ keys }}{{ get }}", {"items": "a", "keys": "b", "get": "c"}),
    ("{{ x }}", {"x": "{{ 7 * 7 }}{% for i in x %}"}),
)


def run(template: str, values: dict[str, Any]) -> str:
    """What a probe ends in: ``refused``, an error's code, or the first of the text."""
    variables = [
        {"name": name, "type": "text" if isinstance(value, str) else "json", "required": False}
        for name, value in values.items()
    ]
    try:
        check_template(template)
        return str(render([{"role": "user", "content": template}], variables, values)[0]["content"])[:200]
    except TemplateProblem:
        return "refused"
    except InvalidRequest as error:
        return error.code


def main() -> None:
    """Try every probe within the address space of now plus some headroom."""
    with open("/proc/self/statm") as statm:  # noqa: PTH123
        used = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + HEADROOM, used + HEADROOM))
    probes = [(template, {"x": "a"}) for template in REFUSED] + list(BOUNDED)
    for number, (template, values) in enumerate(probes):
        started = time.process_time()
        outcome = run(template, values)
        took = time.process_time() - started
        sys.stdout.write(json.dumps({"number": number, "outcome": outcome, "seconds": took}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

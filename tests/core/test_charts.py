"""Charts without a database: scales, marks, gaps, the table and the file."""

import re
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from django.template.loader import render_to_string

from apps.core.charts import Chart, Kind, Mark, Series, Unit, draw, figures_of, spark
from apps.core.charts.units import steps_to

DAYS = ["7 Nov", "8 Nov", "9 Nov", "10 Nov"]
NO_BREAK = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("top", "unit", "labels"),
    [
        (121_000, Unit.COUNT, ["0", "50k", "100k", "150k"]),
        (0, Unit.COUNT, ["0", "1", "2", "3"]),
        (2, Unit.COUNT, ["0", "1", "2", "3"]),
        (5_600, Unit.DURATION, ["0", "2 s", "4 s", "6 s"]),
        (0.0071, Unit.SHARE, ["0", "0.25 %", "0.5 %", "0.75 %"]),
        (1.0, Unit.SHARE, ["0", "25 %", "50 %", "75 %", "100 %"]),
        (0.91, Unit.MONEY, ["$0", "$0.40", "$0.80", "$1.20"]),
        (97.2, Unit.MONEY, ["$0", "$40", "$80", "$120"]),
        (0.0000731, Unit.MONEY, ["$0", "$0.000025", "$0.00005", "$0.000075"]),
        (150_000, Unit.DURATION, ["0", "1 min", "2 min", "3 min"]),
    ],
)
def test_steps__any_top__are_round_and_reach_it(top: float, unit: Unit, labels: list[str]) -> None:
    steps = steps_to(top, unit)
    assert [unit.write_short(step) for step in steps] == [label.replace(" ", NO_BREAK) for label in labels]
    assert steps[-1] >= top


def test_stack__several_series__stands_without_overlap_inside_the_box() -> None:
    drawing = draw(Chart("Requests", DAYS, [Series("a", [10, 0, 5, 1]), Series("b", [20, 7, 0, 1])]))
    below, above = (re.findall(r"M([\d.]+) ([\d.]+)h([\d.]+)v([\d.]+)", each.path) for each in drawing.bars)
    assert [len(below), len(above)] == [3, 3]
    floor = {float(x): float(y) for x, y, _, _ in below}
    for x, y, width, height in ([*map(float, bar)] for bar in (*below, *above)):
        slot = int(x // 250)
        assert 250 * slot <= x
        assert x + width <= 250 * (slot + 1)
        assert 0 <= y <= y + height <= 100.01
    for x, y, _, height in ([*map(float, bar)] for bar in above):
        assert y + height <= floor.get(x, 100.0) + 0.01
    assert drawing.slots[0].title == "7 Nov\na: 10\nb: 20"


def test_series__each_of_six__has_a_texture_and_a_dash_of_its_own() -> None:
    series = [Series(name, [1, 2, 3, 4], rest=name == "others") for name in ("a", "b", "c", "d", "others")]
    bars = draw(Chart("Requests", DAYS, series))
    assert [css for _, css in bars.textures] == ["s1", "s2", "s3", "s4", "s6"]
    lines = draw(Chart("Requests", DAYS, series, kind=Kind.LINES))
    assert [line.css for line in lines.lines] == ["s1", "s2", "s3", "s4", "s6"]
    assert [key.name for key in lines.legend] == ["a", "b", "c", "d", "others"]


def test_line__no_value__breaks_and_marks_what_stands_alone() -> None:
    drawing = draw(
        Chart("Latency", DAYS, [Series("p95", [900, None, 400, None])], unit=Unit.DURATION, kind=Kind.LINES)
    )
    assert drawing.lines[0].lines == []
    assert len(drawing.lines[0].dots) == 2
    assert drawing.gaps == [(250.0, 250.0), (750.0, 250.0)]
    assert [key.look for key in drawing.legend] == ["gap"]


def test_chart__only_unknown__draws_gaps_and_says_the_word() -> None:
    chart = Chart("Cost", DAYS, [Series("all", [None] * 4)], unit=Unit.MONEY, missing="unknown")
    drawing = draw(chart)
    assert drawing.gaps == [(0.0, 1000.0)]
    assert [each.path for each in drawing.bars] == [""]
    assert drawing.summary == "Cost, 7 Nov to 10 Nov: unknown."
    assert {cell.text for row in drawing.figures.rows for cell in row.cells} == {"unknown"}
    assert "$0" not in drawing.figures.csv()


def test_chart__nothing_to_measure__is_said_and_is_no_gap() -> None:
    series = Series("p95", [900, None, 400, None], words={1: "no calls"})
    drawing = draw(Chart("Latency", DAYS, [series], unit=Unit.DURATION, kind=Kind.LINES, missing="unknown"))
    assert drawing.gaps == [(750.0, 250.0)]
    assert [row.cells[0].text for row in drawing.figures.rows][1::2] == ["no calls", "unknown"]


def test_summary__bars_and_lines__is_one_true_sentence() -> None:
    bars = Chart(
        "Cost",
        DAYS,
        [Series("a", [1, 2, None, 3], previous=[1, 1, 1, 1])],
        unit=Unit.MONEY,
        compared="before",
    )
    assert draw(bars).summary == (
        "Cost, 7 Nov to 10 Nov: $6.00 in all; highest $3.00 on 10 Nov; the dotted line is before."
    )
    lines = Chart("Latency", DAYS, [Series("p50", [400, 500, 450, 410])], unit=Unit.DURATION, kind=Kind.LINES)
    assert (
        draw(lines).summary == f"Latency, 7 Nov to 10 Nov: p50 between 400{NO_BREAK}ms and 500{NO_BREAK}ms."
    )


def test_csv__figures__are_exact_and_no_formula() -> None:
    chart = Chart(
        "Cost",
        DAYS,
        [Series("=cmd()", [Decimal("0.0000731000"), None, Decimal("1200.50"), 0], previous=[1, 1, 1, 1])],
        unit=Unit.MONEY,
        missing="unknown",
        compared="the 4 days before",
        beside=[Series("Calls of unknown price", [0, 3, 1, 0], unit=Unit.COUNT)],
    )
    lines = figures_of(chart).csv().split("\r\n")
    assert lines[0] == "Day,'=cmd() (USD),\"'=cmd(), the 4 days before (USD)\",Calls of unknown price"
    assert lines[1:5] == ["7 Nov,0.0000731,1,0", "8 Nov,unknown,1,3", "9 Nov,1200.5,1,1", "10 Nov,0,1,0"]


def test_spark__gaps_and_flat__is_drawn_inside_its_box() -> None:
    drawn = spark([1, None, 5, 3])
    assert drawn is not None
    assert len(drawn.lines) == 2
    assert drawn.last == "M71 12.5h0"
    flat = spark([7, 7])
    assert flat is not None
    assert flat.lines == ["1,12.5 71,12.5"]
    assert spark([None, 4]) is None
    assert spark([]) is None


def test_chart__wrong_lengths_or_too_many__refused() -> None:
    with pytest.raises(ValueError, match="number of values"):
        Chart("Requests", DAYS, [Series("a", [1])])
    with pytest.raises(ValueError, match="at most 6"):
        Chart("Requests", DAYS, [Series(str(n), [1] * 4) for n in range(7)])


def test_template__hostile_names__is_well_formed_and_escaped() -> None:
    hostile = "</svg><script>alert(1)</script>"
    chart = Chart(
        hostile,
        DAYS,
        [Series(hostile, [1, 2, None, 4]), Series("b", [4, 3, 2, None])],
        marks=[Mark(2, hostile)],
        notes=[hostile],
        limit=3,
    )
    for kind in Kind:
        drawing = draw(Chart(**{**vars(chart), "kind": kind}))
        page = render_to_string("components/chart.html", {"chart": drawing, "csv": "?export=csv"})
        assert "<script" not in page
        assert "style=" not in page
        svg = page[page.index('<svg viewBox="0 0 1000 100"') :]
        ElementTree.fromstring(svg[: svg.index("</svg>") + 6])


def test_chart__many_periods__stays_small() -> None:
    series = [Series(f"prompt-{n}", [index * n + 1 for index in range(192)]) for n in range(6)]
    drawing = draw(Chart("Requests", [f"{n}:00" for n in range(192)], series))
    assert sum(1 for head in drawing.heads if head) <= 5

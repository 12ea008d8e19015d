"""Charts made by the server: figures in, SVG geometry and a table of the same figures out. No Django.

    drawing = draw(Chart(title="Requests", unit=Unit.COUNT, heads=days, series=[Series("web", counts)]))

`components/chart.html` writes the drawing, `Spark` is the small line of a tile, `Figures` the table behind
a chart, which a CSV file repeats cell by cell.
"""

from apps.core.charts.drawing import Drawing, draw, thin
from apps.core.charts.figures import Figures, figures_of
from apps.core.charts.sparks import Spark, spark
from apps.core.charts.spec import Chart, Kind, Mark, Series
from apps.core.charts.units import Number, Unit

__all__ = [
    "Chart",
    "Drawing",
    "Figures",
    "Kind",
    "Mark",
    "Number",
    "Series",
    "Spark",
    "Unit",
    "draw",
    "figures_of",
    "spark",
    "thin",
]

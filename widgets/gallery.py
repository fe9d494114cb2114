"""An app that shows every widget with moving data."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.css.query import NoMatches
from textual.widgets import Footer, TabbedContent, TabPane

from widgets import samples
from widgets.bignumber import BigNumber
from widgets.calibration import CalibrationPlot
from widgets.confusion import ConfusionMatrix
from widgets.curves import CurvePlot
from widgets.fasttable import Column, FastTable
from widgets.forest import ForestPlot
from widgets.heatmap import HeatMap
from widgets.histogram import CategoryPair, HistogramPair
from widgets.sparkline import Sparkline
from widgets.statusstrip import StatusStrip
from widgets.timeseries import LinkedCharts, TimeSeries

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.widget import Widget

    from widgets.canvas import Mode

_COLUMNS = (
    Column("name", "Service"),
    Column("requests", "Requests", "right"),
    Column("errors", "Errors", "right"),
    Column("state", "State"),
    Column("latency", "Latency", "right"),
    Column("trend", "Last 24 min", width=24, sortable=False),
)


class Gallery(App[None]):
    """Every widget on four tabs."""

    TITLE = "Widgets"
    CSS = """
    TabPane { padding: 0; }
    .box { border: round $foreground 20%; border-title-color: $text-muted; padding: 0 1; }
    .box:focus { border: round $accent; }
    .numbers { height: 10; }
    .numbers BigNumber { width: 1fr; height: 1fr; }
    #sparkline { height: 4; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("space", "hold", "Hold"),
        Binding("m", "mode", "Quadrants or braille"),
        Binding("t", "theme", "Light or dark"),
        Binding("f1", "tab('numbers')", "Numbers"),
        Binding("f2", "tab('time')", "Time"),
        Binding("f3", "tab('distributions')", "Distributions"),
        Binding("f4", "tab('comparisons')", "Comparisons"),
    ]

    def __init__(self, *, ascii_only: bool = False, light: bool = False, still: bool = False) -> None:
        super().__init__()
        self._ascii, self._held, self._light = ascii_only, still, light
        self._turn = 0
        self._mode: Mode = "quadrant"

    def compose(self) -> ComposeResult:
        """Compose the tabs."""
        with TabbedContent(initial="numbers"):
            with TabPane("Numbers", id="numbers"):
                yield from self._numbers()
            with TabPane("Time", id="time"), LinkedCharts():
                yield self._boxed(
                    TimeSeries(samples.latency(0), ascii_only=self._ascii, id="latency"), "Latency p95"
                )
                yield self._boxed(
                    TimeSeries(samples.accuracy(0), ascii_only=self._ascii, id="accuracy"), "Accuracy"
                )
            with TabPane("Distributions", id="distributions"):
                yield from self._distributions()
            with TabPane("Comparisons", id="comparisons"):
                yield from self._comparisons()
        yield Footer()

    def _numbers(self) -> ComposeResult:
        with Horizontal(classes="numbers"):
            for at, figure in enumerate(samples.figures(0)):
                yield self._boxed(BigNumber(figure, ascii_only=self._ascii, id=f"figure-{at}"), "")
        yield self._boxed(StatusStrip(samples.states(0), ascii_only=self._ascii, id="states"), "Last hour")
        yield self._boxed(Sparkline(ascii_only=self._ascii, id="sparkline"), "Load")
        rows = samples.table_rows(0, ascii_only=self._ascii)
        yield self._boxed(FastTable(_COLUMNS, rows, ascii_only=self._ascii, id="services"), "Services")

    def _distributions(self) -> ComposeResult:
        with Horizontal():
            yield self._boxed(
                HistogramPair(samples.bins(0), ascii_only=self._ascii, id="bins"), "basket value"
            )
            yield self._boxed(
                CalibrationPlot(samples.reliability(0), ascii_only=self._ascii, id="curve"), "Calibration"
            )
        with Horizontal():
            shares = CategoryPair(samples.categories(0), ascii_only=self._ascii, id="shares")
            yield self._boxed(shares, "country")
            yield self._boxed(CurvePlot(samples.roc(0), ascii_only=self._ascii, id="roc"), "ROC curve")

    def _comparisons(self) -> ComposeResult:
        yield self._boxed(
            HeatMap(samples.drift(0), ascii_only=self._ascii, id="drift"), "Drift by hour (PSI)"
        )
        with Horizontal():
            yield self._boxed(
                ForestPlot(samples.differences(0), ascii_only=self._ascii, id="forest"), "v2 less v1"
            )
            yield self._boxed(
                ConfusionMatrix(samples.confusion(0), ascii_only=self._ascii, id="matrix"), "Answers of v2"
            )

    @staticmethod
    def _boxed(widget: Widget, title: str) -> Widget:
        widget.add_class("box")
        widget.border_title = title
        return widget

    def on_mount(self) -> None:
        """Start to move."""
        self._take_theme()
        self._show()
        self.set_interval(1.0, self._tick)

    def _take_theme(self) -> None:
        self.theme = "textual-light" if self._light else "textual-dark"

    def _tick(self) -> None:
        if not self._held:
            self._turn += 1
            with suppress(NoMatches):  # it may fall into the end, when one widget after the other goes
                self._show()

    def _show(self) -> None:
        """Give every widget the data of this turn."""
        turn = self._turn
        for at, figure in enumerate(samples.figures(turn)):
            self.query_one(f"#figure-{at}", BigNumber).update(figure)
        self.query_one("#states", StatusStrip).update(samples.states(turn))
        self.query_one("#sparkline", Sparkline).update(samples.latency(turn).series[0].values.tolist())
        self.query_one("#services", FastTable).update(samples.table_rows(turn, ascii_only=self._ascii))
        self.query_one("#latency", TimeSeries).update(samples.latency(turn))
        self.query_one("#accuracy", TimeSeries).update(samples.accuracy(turn))
        self.query_one("#bins", HistogramPair).update(samples.bins(turn))
        self.query_one("#shares", CategoryPair).update(samples.categories(turn))
        self.query_one("#roc", CurvePlot).update(samples.roc(turn))
        self.query_one("#curve", CalibrationPlot).update(samples.reliability(turn))
        self.query_one("#drift", HeatMap).update(samples.drift(turn))
        self.query_one("#forest", ForestPlot).update(samples.differences(turn))
        self.query_one("#matrix", ConfusionMatrix).update(samples.confusion(turn))

    def on_time_series_stretch_chosen(self, message: TimeSeries.StretchChosen) -> None:
        """Zoom to what was marked."""
        message.chart.zoom_to((message.start, message.end))

    def action_hold(self) -> None:
        """Stop or go on."""
        self._held = not self._held

    def action_mode(self) -> None:
        """Draw the charts with the other characters."""
        self._mode = "braille" if self._mode == "quadrant" else "quadrant"
        for chart in self.query(TimeSeries):
            chart.show_mode(self._mode)

    def action_theme(self) -> None:
        """Change between light and dark."""
        self._light = not self._light
        self._take_theme()

    def action_tab(self, name: str) -> None:
        """Show a tab and give its first widget the keyboard."""
        self.set_focus(None)  # or the tab of the widget with the keyboard comes back
        self.query_one(TabbedContent).active = name
        for widget in self.query_one(f"#{name}", TabPane).query("*"):
            if widget.focusable:
                self.call_after_refresh(widget.focus)
                break

"""Made-up data for the gallery: the same at the same turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from widgets.bignumber import Delta, Figure, trend_of
from widgets.calibration import Reliability
from widgets.chart import Band, Chart, Marker, Series
from widgets.confusion import Confusion
from widgets.curves import Curve, Square
from widgets.forest import Forest, Interval
from widgets.grid import Grid
from widgets.histogram import Bins, Categories
from widgets.sparkline import sparkline
from widgets.statusstrip import StatusRow
from widgets.tablerows import Cell, Row
from widgets.text import format_number, format_percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from widgets.statusstrip import State

    Floats = NDArray[np.float64]

START = 1_773_414_000.0
"""2026-03-13 15:00 UTC, in seconds."""
POINTS = 360
SERVICES = (
    "gateway",
    "ranker",
    "features",
    "cache",
    "billing",
    "search",
    "mailer",
    "auth",
    "reports",
    "queue",
)


def _wave(turn: int, speed: float, noise: float, seed: int) -> Floats:
    """Return a wave that moves by one step a turn, with noise that stays on its point."""
    at = np.arange(turn, turn + POINTS)
    grain = np.random.default_rng(seed).normal(0.0, noise, 4096)[at % 4096]
    return np.sin(at / speed) + grain


def latency(turn: int) -> Chart:
    """Return two lines with a band, a gap and markers."""
    times = START + 60.0 * np.arange(turn, turn + POINTS, dtype=np.float64)
    old = 92 + 6 * _wave(turn, 34, 0.25, 1)
    new = 88 + 5 * _wave(turn, 27, 0.25, 2) + 26 / (1 + np.exp(-(np.arange(turn, turn + POINTS) - 240) / 12))
    at = np.arange(turn, turn + POINTS)
    new[(at > 120) & (at < 150)] = np.nan
    marks = (
        Marker(START + 60.0 * 150, "deploy v2"),
        Marker(START + 60.0 * 252, "alert: p95 above 105 ms", "bad"),
    )
    lines = (Series.of("v1", times, old), Series.of("v2", times, new))
    return Chart(lines, (Band(80.0, 105.0),), marks, "ms")


def accuracy(turn: int) -> Chart:
    """Return two lines with their intervals as bands."""
    times = START + 60.0 * np.arange(turn, turn + POINTS, dtype=np.float64)
    old, new = 0.914 + 0.006 * _wave(turn, 60, 0.2, 3), 0.892 + 0.008 * _wave(turn, 47, 0.2, 4)
    lines = (Series.of("v1", times, old), Series.of("v2", times, new))
    return Chart(lines, (Band(new - 0.012, new + 0.012, times),), unit="%")


def figures(turn: int) -> list[Figure]:
    """Return three numbers with trends."""
    p95, share, rate = (
        177 + 3 * _wave(turn, 9, 0.3, 5),
        0.881 + 0.01 * _wave(turn, 15, 0.2, 6),
        _wave(turn, 12, 0.4, 7),
    )
    requests = 27_800 + 1200 * rate
    return [
        Figure(
            "Latency p95",
            f"{p95[-1]:.0f}",
            "ms",
            "95 % interval 168 to 186 ms",
            Delta("+55 ms", "up", "bad"),
            trend_of(p95[-40:]),
        ),
        Figure(
            "Accuracy",
            f"{share[-1] * 100:.1f}",
            "%",
            "95 % interval 87.5 to 88.7 %",
            Delta("+0.4 pt", "up", "good"),
            trend_of(share[-40:]),
        ),
        Figure(
            "Requests",
            format_number(requests[-1]),
            "/min",
            "",
            Delta("−1.2 %", "down"),
            trend_of(requests[-40:]),
        ),
    ]


def states(turn: int) -> list[StatusRow]:
    """Return the states of four services."""
    kinds: tuple[State, ...] = ("ok", "warn", "bad", "unknown")
    rows = []
    for at, name in enumerate(SERVICES[:4]):
        drawn = np.random.default_rng(at).choice(4, 4096, p=[0.9, 0.05, 0.03, 0.02])
        rows.append(StatusRow(name, tuple(kinds[drawn[(turn + step) % 4096]] for step in range(60))))
    return rows


def table_rows(turn: int, *, ascii_only: bool = False) -> list[Row]:
    """Return a row a service: requests, errors, latency and its trend."""
    rows = []
    for at, name in enumerate(SERVICES * 3):
        wave = _wave(turn * 3 + 40 * at, 8 + at, 0.3, at)
        count, errors, delay = (
            4000 / (at + 1) * (2 + wave[-1]),
            max(0.01 * wave[-1] + 0.004, 0.0),
            40 + 9 * at + 8 * wave,
        )
        style = "bad" if errors > 0.012 else "warn" if errors > 0.008 else "good"
        mark = {"bad": "worse", "warn": "near", "good": "fine"}[style]
        cells = (
            Cell(f"{name}-{at // len(SERVICES) + 1}"),
            Cell(format_number(count), "", float(count)),
            Cell(format_percent(errors), style, float(errors)),
            Cell(mark, style),
            Cell(format_number(float(delay[-1]), "ms"), "", float(delay[-1])),
            Cell(sparkline(delay[-24:].tolist(), 24, ascii_only=ascii_only), "accent"),
        )
        rows.append(Row(f"{name}{at}", cells))
    return rows


def bins(turn: int) -> Bins:
    """Return two histograms that drift apart."""
    edges = np.linspace(-4.0, 6.0, 41)
    rng = np.random.default_rng(8)
    shift = 0.9 + 0.3 * np.sin(turn / 10)
    reference, current = rng.normal(0.0, 1.0, 6000), rng.normal(shift, 1.25, 4000)
    return Bins.of(
        edges, np.histogram(reference, edges)[0], np.histogram(current, edges)[0], "", ("reference", "v2")
    )


def categories(turn: int) -> Categories:
    """Return shares of five countries."""
    now = np.array([31.0, 22.0, 9.0 + 4 * np.sin(turn / 8), 17.0, 2.0])
    return Categories(
        ("DE", "FR", "PL", "IT", "other"), np.array([40.0, 24.0, 16.0, 12.0, 1.0]), now, ("reference", "v2")
    )


def drift(turn: int) -> Grid:
    """Return the drift of six features by hour."""
    names = ("age", "income", "country", "device", "basket value", "hour of day")
    times = START + 3600.0 * np.arange(turn, turn + 48)
    rows = []
    for at in range(len(names)):
        wave = _wave(turn, 7 + 3 * at, 0.3, at)[:48]
        rows.append(np.clip(0.12 + 0.09 * wave + 0.03 * at, 0.0, None))
    values = np.array(rows)
    values[2, 10:14] = np.nan
    return Grid.of(names, times, values)


def differences(turn: int) -> Forest:
    """Return intervals that narrow with time."""
    width = 0.02 / np.sqrt(1 + turn / 10) + 0.004

    def row(name: str, value: float, spread: float, style: str, word: str) -> Interval:
        low, high = value - width * spread, value + width * spread
        text = f"{format_percent(value, 2, signed=True)}  {word}"
        return Interval(name, value, low, high, text, style)

    rows: Sequence[Interval] = (
        row("Accuracy", -0.021, 0.8, "bad", "worse"),
        row("Precision", -0.006, 1.4, "warn", "unclear"),
        row("Recall", 0.004, 0.5, "good", "no worse"),
        row("Conversion", 0.013, 0.6, "good", "better"),
        Interval("ROC AUC", float("nan"), float("nan"), float("nan"), "no labels yet", "muted"),
    )
    return Forest(tuple(rows), (-0.01, 0.01), "%")


def confusion(turn: int) -> Confusion:
    """Return counts that grow."""
    counts = np.array([[812, 40, 9], [63, 455, 51], [4, 38, 231]])
    return Confusion(
        ("approve", "review", "reject"), counts + turn * np.array([[8, 1, 0], [1, 4, 1], [0, 1, 3]])
    )


def roc(turn: int) -> Square:
    """Return the ROC curves of two versions."""
    x = np.linspace(0.0, 1.0, 60)
    sharper = 0.16 + 0.03 * np.sin(turn / 9)
    curves = (
        Curve.of("v1", x, x**0.3, remark=f"{1 / 1.3:.3f}"),
        Curve.of("v2", x, x**sharper, remark=f"{1 / (1 + sharper):.3f}"),
    )
    return Square(curves, True, "false positive rate", "true positive rate")


def reliability(turn: int) -> tuple[Reliability, ...]:
    """Return a good and an overconfident model."""
    middle = np.linspace(0.05, 0.95, 10)
    counts = 900 * np.exp(-(((middle - 0.2) / 0.3) ** 2)) + 40
    bend = 1.55 + 0.2 * np.sin(turn / 9)
    return (
        Reliability.of("v1", middle, middle + 0.015 * np.sin(9 * middle), counts, remark="ECE 0.011"),
        Reliability.of("v2", middle, middle**bend, counts[::-1], remark="ECE 0.094"),
    )

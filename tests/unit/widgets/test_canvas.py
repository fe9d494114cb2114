"""Lines of dots: shapes, gaps, spikes, what lies outside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.canvas import Canvas, Mode

NAN = np.nan


def text(canvas: Canvas) -> list[str]:
    return ["".join(map(chr, row)) for row in canvas.codes()]


def drawn(x: list[float], y: list[float], size: tuple[int, int], mode: Mode = "ascii") -> list[str]:
    canvas = Canvas(*size, mode)
    canvas.line(np.array(x, dtype=float), np.array(y, dtype=float), 0)
    return text(canvas)


def test_a_diagonal() -> None:
    assert drawn([0.5, 3.5], [0, 3], (4, 4)) == ["*   ", " *  ", "  * ", "   *"]


def test_quadrants_and_braille() -> None:
    assert drawn([0.5, 3.5], [0, 3], (2, 2), "quadrant") == ["▚ ", " ▚"]
    assert drawn([0.5, 3.5], [0, 3], (2, 1), "braille") == ["⠑⢄"]
    assert drawn([0.5, 7.5], [1, 1], (4, 1), "quadrant") == ["▄▄▄▄"]


def test_a_flat_slope_stays_one_dot_thick() -> None:
    assert drawn([0.5, 7.5], [0, 1], (8, 2)) == ["****    ", "    ****"]


def test_a_steep_line_is_closed() -> None:
    assert drawn([0.5, 1.5], [0, 5], (2, 6)) == ["* ", "* ", "* ", " *", " *", " *"]


def test_a_gap_stays_open() -> None:
    assert drawn([0.5, 1.5, 2.5, 3.5, 4.5], [0, 0, NAN, 0, 0], (5, 1)) == ["** **"]
    assert drawn([0.5, 2.5, 4.5], [0, NAN, 0], (5, 1)) == ["*   *"]


def test_a_gap_between_neighbouring_columns_is_not_joined() -> None:
    assert drawn([0.5, 0.9, 1.5], [0, NAN, 4], (2, 5)) == ["* ", "  ", "  ", "  ", " *"]


def test_a_spike_among_many_points_shows() -> None:
    x = np.linspace(0, 9.999, 100_000)
    y = np.full(100_000, 4.0)
    y[55_555] = 0
    assert drawn(list(x), list(y), (10, 5)) == ["     *    "] * 4 + ["**********"]


def test_points_outside_lead_the_line_but_are_not_drawn() -> None:
    assert drawn([-3.5, 4.5], [0, 8], (4, 5)) == ["    ", "    ", "    ", "    ", "*   "]
    assert drawn([0.5, 1.5, 2.5], [0, -1e300, 0], (3, 2)) == ["* *", "   "]


def test_nothing_to_draw() -> None:
    assert drawn([], [], (3, 1)) == ["   "]
    assert drawn([0.5, 1.5], [NAN, NAN], (3, 1)) == ["   "]
    assert drawn([0.5], [0], (1, 1)) == ["*"]
    assert drawn([50.0], [0], (3, 1)) == ["   "]


def test_the_last_layer_gives_the_mark() -> None:
    canvas = Canvas(4, 1, "ascii")
    canvas.line(np.array([0.5, 3.5]), np.zeros(2), 0)
    canvas.line(np.array([1.5, 2.5]), np.zeros(2), 1)
    assert text(canvas) == ["*oo*"]


def test_dashes_tell_layers_apart() -> None:
    canvas = Canvas(10, 2, "ascii")
    canvas.line(np.array([0.5, 9.5]), np.zeros(2), 0, dashed=True)
    canvas.line(np.array([0.5, 9.5]), np.ones(2), 1, dashed=True)
    assert text(canvas) == ["**********", "ooo  ooo  "]


@given(
    st.lists(st.tuples(st.floats(-50, 50), st.floats(allow_nan=True, allow_infinity=False)), max_size=30),
    st.integers(1, 12),
    st.integers(1, 6),
    st.sampled_from(["quadrant", "braille", "ascii"]),
)
def test_any_points_draw(points: list[tuple[float, float]], width: int, height: int, mode: Mode) -> None:
    points.sort(key=lambda point: point[0])
    rows = drawn([x for x, _ in points], [y for _, y in points], (width, height), mode)
    assert [len(row) for row in rows] == [width] * height


@pytest.mark.parametrize("mode", ["quadrant", "braille", "ascii"])
def test_every_column_of_a_line_has_a_dot(mode: Mode) -> None:
    canvas = Canvas(40, 10, mode)
    x = np.linspace(0, canvas.dots_across - 0.01, 300)
    canvas.line(x, (np.sin(x / 5) + 1) / 2 * (canvas.dots_down - 1), 0)
    assert (canvas.bits > 0).any(axis=0).all()

"""Confusion matrices and reliability diagrams."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.calibration import CalibrationPlot, Reliability, draw_calibration
from widgets.confusion import Confusion, ConfusionMatrix, draw_confusion, row_shares
from widgets.drawn import plain

PETS = Confusion(("cat", "dog"), np.array([[90, 10], [0, 0]]))
MIDDLES = np.linspace(0.05, 0.95, 10)
GOOD = Reliability.of("v1", MIDDLES, MIDDLES, np.arange(10) * 10, remark="ECE 0.000")


def test_row_shares() -> None:
    assert row_shares(PETS.counts)[0].tolist() == [0.9, 0.1]
    assert np.isnan(row_shares(PETS.counts)[1]).all()


def test_counts_and_shares() -> None:
    assert plain(draw_confusion(PETS, 24, 6)).splitlines() == [
        "true ↓  predicted →",
        "       cat       dog",
        "cat     90        10",
        "      90.0 %    10.0 %",
        "dog     0         0",
        "       n/a       n/a",
    ]
    assert plain(draw_confusion(PETS, 33, 3)).splitlines()[1] == "cat   90 90.0 %     10 10.0 %"


def test_cells_take_the_colour_of_their_share() -> None:
    first = draw_confusion(PETS, 24, 6)[2]
    assert [style for _, style in first] == ["label", "text-on-heat-7", "text-on-heat-0"]


def test_many_classes_are_shades() -> None:
    names = tuple(f"class {at}" for at in range(12))
    lines = plain(draw_confusion(Confusion(names, np.eye(12) * 5), 30, 12, ascii_only=True)).splitlines()
    assert len(lines) == 12
    assert lines[0] == "class 0 #..........."
    assert (
        plain(draw_confusion(Confusion(names, np.eye(12)), 30, 6)).splitlines()[-1]
        == "7 of 12 classes find no room"
    )


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([f"class_{at:03}" for at in range(99, 102)], ["…099", "…100", "…101"]),
        (["mailbox_full", "mailbox_gone", "spam"], ["mai…ll", "mai…ne", "spam"]),
        (["class", "class_1", "class_2"], ["class", "…_1", "…_2"]),
    ],
)
@pytest.mark.parametrize("height", [3, 4])
def test_classes_that_begin_alike_are_told_apart(labels: list[str], names: list[str], height: int) -> None:
    width = 26 if height == 4 else 24  # as counts with a heading, or as shades
    drawn = plain(draw_confusion(Confusion(tuple(labels), np.eye(3)), width, height)).splitlines()
    assert [line[:6].strip() for line in drawn[-3:]] == names
    if height == 4:
        assert all(name in drawn[0] for name in names)


def test_matrix_without_labels() -> None:
    assert plain(draw_confusion(Confusion((), np.zeros((0, 0))), 40, 5)) == "no labelled answers yet"
    assert plain(draw_confusion(Confusion(("a",), np.zeros((1, 1))), 40, 5)) == "no labelled answers yet"


@given(st.integers(1, 15), st.integers(1, 60), st.integers(1, 30))
def test_any_matrix_keeps_the_size(classes: int, width: int, height: int) -> None:
    counts = np.arange(classes * classes).reshape(classes, classes) + 1
    picture = draw_confusion(Confusion(tuple(f"class {at}" for at in range(classes)), counts), width, height)
    assert len(picture) <= height
    assert all(sum(len(text) for text, _ in line) <= width for line in picture)


def test_a_calibrated_curve_lies_on_the_diagonal() -> None:
    picture = draw_calibration((GOOD,), 30, 14, mode="ascii")
    lines = plain(picture).splitlines()
    assert lines[0].endswith("oo v1 ECE 0.000 n 450")
    assert lines[1].startswith("1")
    # only the ends, beyond the outer bins, are left of the diagonal
    marks = "".join(lines[1:-3])
    assert marks.count("o") > 20
    assert marks.count("*") <= 6


def test_an_overconfident_curve_lies_below() -> None:
    curve = Reliability.of("v2", MIDDLES[::-1], MIDDLES[::-1] ** 2, np.ones(10))
    assert curve.predicted.tolist() == sorted(curve.predicted.tolist())
    lines = plain(draw_calibration((curve,), 40, 16, mode="ascii")).splitlines()
    middle = lines[len(lines) // 2]
    assert middle.index("*") < middle.index("o")


def test_curves_without_labels() -> None:
    unlabelled = Reliability.of("v1", MIDDLES, np.full(10, np.nan), np.ones(10))
    assert plain(draw_calibration((unlabelled,), 40, 10)) == "no labels yet"
    assert plain(draw_calibration((), 40, 10)) == "no probabilities yet"
    with pytest.raises(ValueError, match="have shapes"):
        Reliability.of("x", [1], [1, 2], [1])


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.integers(0, 99)), max_size=12),
    st.integers(1, 50),
    st.integers(1, 20),
)
def test_any_curve_keeps_the_size(points: list[tuple[float, float, int]], width: int, height: int) -> None:
    x, y, n = zip(*points, strict=True) if points else ((), (), ())
    picture = draw_calibration((Reliability.of("v1", x, y, n), GOOD), width, height)
    assert len(picture) <= height
    assert all(sum(len(text) for text, _ in line) <= width for line in picture)


async def test_pictures(stage: Any, check_picture: Any) -> None:
    bent = Reliability.of("v2", MIDDLES, MIDDLES**1.7, np.arange(10)[::-1] * 10, remark="ECE 0.120")
    async with stage(CalibrationPlot((GOOD, bent))).run_test(size=(50, 18)) as pilot:
        check_picture("calibration-50x18", pilot.app.lines())
    matrix = ConfusionMatrix(
        Confusion(("approve", "review", "reject"), np.array([[81, 4, 1], [6, 45, 5], [1, 3, 23]]))
    )
    async with stage(matrix).run_test(size=(60, 9)) as pilot:
        check_picture("confusion-60x9", pilot.app.lines())

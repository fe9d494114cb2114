"""An id may have an outcome that names its model and one that does not: one label holds, the later one."""

from __future__ import annotations

import os
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from logfiles import lines, prediction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

OWN = [
    {"timestamp": f"2026-11-03T11:{number:02d}:00Z", "request_id": f"r{number}", "model": "m", "label": 1}
    for number in range(20)
]
LOOSE = [
    {"timestamp": f"2026-11-03T11:{30 - number:02d}:00Z", "request_id": f"r{number}", "label": 0}
    for number in range(5, 25)
]
FILES = {
    "predictions.jsonl": [prediction(number) for number in range(30)],
    "own.jsonl": OWN,
    "loose.jsonl": LOOSE,
}


def right_answers(order: Sequence[str] = ()) -> int:
    """Count what is right by a plain reading: the label of the greatest time, then of the file written later.

    Args:
        order: Of files, as they are written; of one file the greatest label holds then.
    """
    labels: dict[str, tuple[str, int, int]] = {}
    for name, outcomes in (("own.jsonl", OWN), ("loose.jsonl", LOOSE)):
        for outcome in outcomes:
            came = order.index(name) if order else 0
            claim = (str(outcome["timestamp"]), came, int(str(outcome["label"])))
            labels[str(outcome["request_id"])] = max(claim, labels.get(str(outcome["request_id"]), claim))
    return sum(labels[f"r{number}"][2] == number % 2 for number in range(25))


@pytest.mark.usual(1)
@pytest.mark.parametrize("order", list(permutations(FILES)), ids=" then ".join)
@pytest.mark.parametrize("at_once", [False, True])
def test_the_later_outcome_holds_in_any_order_of_arrival(
    logs: Path, opened: Callable[[], Any], order: tuple[str, ...], at_once: bool
) -> None:
    with opened() as session:
        for place, name in enumerate(order):
            (logs / name).write_text(lines(FILES[name]))
            os.utime(logs / name, (1_793_700_000 + place,) * 2)
            if not at_once:
                session.ingest_all()
        session.ingest_all()
        version = session.snapshot().models["m"].versions["v1"]
        rows = session.frame("predictions")
    assert (version.predictions, version.labelled) == (30, 25)
    assert version.performance["accuracy"].value == pytest.approx(right_answers(order) / 25, abs=1e-12)
    assert len(rows) == 30
    labelled = rows[rows.label.notna()]
    assert (labelled.label == labelled.prediction).sum() == right_answers(order)


def test_both_in_one_file_count_once(logs: Path, opened: Callable[[], Any]) -> None:
    (logs / "predictions.jsonl").write_text(lines(FILES["predictions.jsonl"]))
    with opened() as session:
        (logs / "labels.jsonl").write_text(lines([*OWN, *LOOSE]))
        session.ingest_all()
        version = session.snapshot().models["m"].versions["v1"]
    assert version.labelled == 25
    assert version.performance["accuracy"].value == pytest.approx(right_answers() / 25, abs=1e-12)


@pytest.mark.usual(1)
@pytest.mark.parametrize("changed", ["2026-11-05T00:00:00Z", None])
def test_a_corrected_row_of_a_table_holds_though_both_were_created_at_once(
    logs: Path, opened: Callable[[], Any], changed: str | None
) -> None:
    created = "2026-11-04T00:00:00Z"
    first = [
        {"request_id": f"r{n}", "label": 1, "created_at": created, "updated_at": changed and created}
        for n in range(30)
    ]
    corrected = [{**row, "label": 0, "updated_at": "2026-11-05T00:00:00Z"} for row in first[:20]]
    (logs / "predictions.jsonl").write_text(lines(FILES["predictions.jsonl"]))
    (logs / "labels.jsonl").write_text(lines([*corrected, *first]))

    with opened() as session:
        session.ingest_all()
        rows = session.frame("predictions")

    assert sorted(rows.label) == ["0"] * 20 + ["1"] * 10

"""SageMaker Data Capture: what is captured, encoded or not, and the ground truth that comes a day later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

BLUE, GREEN = (
    "flights/blue/2026/11/03/10/00-01-101-a1.jsonl",
    "flights/green/2026/11/03/10/00-01-102-b2.jsonl",
)


@pytest.fixture
def taken(given: Callable[[str], None], take: Callable[[], Any]) -> Any:
    given("sagemaker")
    with take() as found:
        yield found


def test_every_instance_of_a_request_is_a_prediction(taken: Any) -> None:
    assert taken.predictions("id", "model", "version", "prediction", "score") == [
        ("s1", "flights", "blue", "0", 0.25),
        ("s2", "flights", "blue", "1", 0.75),
        ("s3/0", "flights", "blue", "1", 0.5),
        ("s3/1", "flights", "blue", "0", 0.125),
        ("s4/0", "flights", "green", "1", 0.9),
        ("s4/1", "flights", "green", "0", 0.2),
        ("order-6", "flights", "green", "0", 0.0625),
    ]


def test_inputs_are_features_with_and_without_names(taken: Any) -> None:
    assert taken.predictions("f0", "f1", "f2", "carrier", "distance") == [
        ("UA", "EWR", 1400.0, None, None),
        ("AA", "JFK, T8", 1089.0, None, None),
        ("UA", "LGA", 733.0, None, None),
        ("DL", "JFK", None, None, None),
        (None, None, None, "B6", 1576.0),
        (None, None, None, "DL", 762.0),
        ("UA", "EWR", 9.0, None, None),
    ]


def test_ground_truth_finds_its_requests_at_the_hour_of_its_path(taken: Any) -> None:
    assert taken.rows("SELECT id, label, matched, CAST(ts AS VARCHAR) FROM outcomes ORDER BY id") == [
        (name, label, True, "2026-11-04 10:00:00")
        for name, label in (("order-6", "0"), ("s2", "1"), ("s3/0", "1"), ("s3/1", "0"))
    ]
    assert taken.totals.outcomes_unmatched == 0


def test_what_cannot_be_read_is_named(taken: Any) -> None:
    assert taken.quarantined() == [
        (BLUE, 3, "not valid JSON"),
        (GREEN, 2, "no endpointOutput was captured"),
        ("ground-truth/2026/11/04/10/labels.jsonl", 4, "ground truth without an eventId"),
    ]
    assert (taken.totals.predictions, taken.totals.outcomes, taken.totals.rejected) == (7, 4, 3)

"""Against Evidently and NannyML themselves, in a Python that has both: `make test-peers`."""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlwatch.metrics import estimation, loss_estimation
from mlwatch.metrics.bins import edges_from_quantiles, numeric_bin
from mlwatch.metrics.loss_estimation import LossReference
from mlwatch.metrics.scores import ScoreHistogram

FIXTURES = Path(__file__).parent / "fixtures"
PYTHON = os.environ.get("PEERS_PYTHON")
pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(PYTHON is None, reason="PEERS_PYTHON names no Python that has Evidently and NannyML"),
]


@cache
def said(what: str) -> dict[str, Any]:
    """Return what a peer says now."""
    command = [str(PYTHON), "-W", "ignore", str(FIXTURES / "record_peers.py"), what]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=900)
    document: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return document


def close(one: Any, two: Any) -> None:
    """Hold two documents equal, numbers to nine digits."""
    if isinstance(one, dict):
        assert one.keys() == two.keys()
        for key in one:
            close(one[key], two[key])
    elif isinstance(one, list):
        assert len(one) == len(two)
        for left, right in zip(one, two, strict=True):
            close(left, right)
    elif isinstance(one, float):
        assert two == pytest.approx(one, rel=1e-9, abs=1e-12)
    else:
        assert one == two


@pytest.mark.parametrize("peer", ["evidently", "nannyml"])
def test_what_is_recorded_is_what_they_say(peer: str) -> None:
    close(json.loads((FIXTURES / f"{peer}.json").read_text()), said(peer))


def test_estimates_of_many_classes_are_within_0_005_of_nannyml() -> None:
    cards = said("estimates")["multiclass"]
    labels, _, *chances, counts = zip(*cards["reference"], strict=True)
    calibrators = {
        card: estimation.calibrate(
            ScoreHistogram.from_scores(
                np.repeat(np.array(labels) == card, counts), np.repeat(np.array(chance, dtype=float), counts)
            )
        )
        for card, chance in zip(cards["classes"], chances, strict=True)
    }
    for chunk in cards["chunks"]:
        guesses, *chances, counts = zip(*chunk["rows"], strict=True)
        rows = {
            card: np.array(chance, dtype=float)
            for card, chance in zip(cards["classes"], chances, strict=True)
        }
        decided = {
            guess: {
                card: ScoreHistogram.from_scores(
                    np.ones(np.array(counts)[mine].sum(), dtype=bool),
                    np.repeat(chance[mine], np.array(counts)[mine]),
                )
                for card, chance in rows.items()
            }
            for guess in cards["classes"]
            for mine in [np.array(guesses) == guess]
        }
        found = estimation.multiclass(calibrators, decided)
        for ours, theirs in {"accuracy": "accuracy", "macro_f1": "f1", "roc_auc": "roc_auc"}.items():
            assert found[ours].value == pytest.approx(chunk["value"][theirs], abs=5e-3), ours


def test_estimated_losses_are_near_those_of_nannyml() -> None:
    """It learns the loss from all features with LightGBM, we from the prediction alone: a seventh apart at most."""
    prices = said("estimates")["losses"]
    guess, truth = np.array(prices["reference"], dtype=float).T
    edges = edges_from_quantiles(np.quantile(guess, np.linspace(0, 1, 101), method="inverted_cdf"))
    reference = LossReference.from_rows(numeric_bin(guess, edges), guess - truth)
    for chunk in prices["chunks"]:
        codes, counts = np.unique(
            numeric_bin(np.array(chunk["predictions"], dtype=float), edges), return_counts=True
        )
        found = loss_estimation.regression(reference, codes, counts)
        for name in ("mae", "rmse"):
            assert found[name].value == pytest.approx(chunk["value"][name], rel=0.15), name

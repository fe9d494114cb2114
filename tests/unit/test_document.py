"""The contract of `report --format json`, key by key, on real input."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import mlwatch

if TYPE_CHECKING:
    from logfiles import SampleStore

ROOT = Path(__file__).resolve().parents[2]
FACTS = json.loads((ROOT / "tests" / "fixtures" / "sample_facts.json").read_text())

NUMBER = (int, float)
MAYBE = (int, float, type(None))

DRIFT = {
    **dict.fromkeys(("psi", "js", "ks", "wasserstein", "hellinger", "chi2_p", "score"), MAYBE),
    "method": str,
    "drifted": bool,
}
LATENCY = {"n": int, **dict.fromkeys(("mean", "p50", "p90", "p95", "p99", "max"), MAYBE)}
ERRORS = {"count": int, "rate": MAYBE}
REVENUE = {
    **dict.fromkeys(("gross", "refunds", "total"), NUMBER),
    **dict.fromkeys(("per_prediction", "low", "high"), MAYBE),
}
TEXT = (str, type(None))


@pytest.fixture(scope="module")
def document(sample_store: SampleStore) -> dict[str, Any]:
    with mlwatch.open(ROOT / "sample_logs", db=sample_store()) as watch:
        found: dict[str, Any] = json.loads(json.dumps(watch.snapshot().to_dict(), allow_nan=False))
    return found


def check(found: Any, shape: Any, where: str = "$") -> None:
    """Assert that every key of the shape is there with a value of its type; more keys are allowed."""
    if isinstance(shape, dict):
        assert isinstance(found, dict), where
        for key, inner in shape.items():
            assert key in found, f"{where}.{key} is missing"
            check(found[key], inner, f"{where}.{key}")
    else:
        assert isinstance(found, shape), f"{where} is {type(found).__name__}"


def check_estimate(found: dict[str, Any], where: str) -> None:
    assert "value" in found, where
    if found["value"] is None:
        assert found["reason"], where
        return
    assert math.isfinite(found["value"])
    assert found["n"] > 0
    if found["low"] is not None:
        assert found["low"] <= found["value"] + 1e-12
        assert found["high"] >= found["value"] - 1e-12


def test_every_key_of_the_contract_is_there(document: dict[str, Any]) -> None:
    check(
        document,
        {
            "schema": str,
            "generated_at": str,
            "range": {"start": str, "end": str},
            "ingest": dict.fromkeys(
                (
                    *(
                        "files",
                        "bytes",
                        "rows",
                        "predictions",
                        "outcomes",
                        "events",
                        "rejected",
                        "duplicates",
                    ),
                    *("outcomes_unmatched", "events_unmatched", "records"),
                ),
                int,
            ),
            "models": dict,
            "rollouts": list,
            "endpoints": list,
            "system": {**dict.fromkeys(("cpu", "memory", "disk"), MAYBE), "reasons": dict},
            "alerts": list,
            "provenance": dict.fromkeys(
                ("mlwatch", "config_sha256", "reference_sha256", "git", "data", "registry"), TEXT
            ),
        },
    )
    assert document["schema"] == "mlwatch.report/1"
    assert document["generated_at"].endswith("Z")


def test_every_version_and_window_has_every_family(document: dict[str, Any]) -> None:
    model = document["models"]["flight-delay"]
    check(model, {"task": str, "positive_class": str, "versions": dict})
    for name, version in model["versions"].items():
        check(
            version,
            {
                "role": str,
                "predictions": int,
                "labelled": int,
                "first": str,
                "last": str,
                "performance": dict,
                "confusion": {"labels": list, "counts": list},
                "estimated": dict,
                "latency_ms": LATENCY,
                "throughput_per_s": MAYBE,
                "errors": ERRORS,
                "quality": {
                    "features": dict,
                    "prediction_drift": DRIFT,
                    "label_drift": DRIFT | {"reason": TEXT},
                    "drifted_share": MAYBE,
                },
                "business": {"conversion": dict, "engagement": dict, "revenue": REVENUE},
                "segments": dict,
                "windows": list,
            },
            name,
        )
        for kind in ("performance", "estimated"):
            for metric, found in version[kind].items():
                check_estimate(found, f"{name}.{kind}.{metric}")
        for segment in (each for column in version["segments"].values() for each in column.values()):
            check(segment, {"predictions": int, "labelled": int, "performance": dict})
            assert {"against_rest", "against_baseline"} <= set(segment)
        for feature in version["quality"]["features"].values():
            counts = dict.fromkeys(("n", "missing", "invalid", "unseen", "out_of_range"), int)
            check(feature, {"kind": str, **counts, "missing_rate": MAYBE, "drift": DRIFT})
        for window in version["windows"]:
            families = dict.fromkeys(("performance", "estimated", "quality", "business"), dict)
            check(window, {"start": str, "end": str, "predictions": int, "labelled": int, **families})
            check(window, {"latency_ms": LATENCY, "errors": ERRORS})


def test_totals_are_those_of_the_logs(document: dict[str, Any]) -> None:
    ingest = document["ingest"]
    for name, expected in FACTS["ingest"].items():
        if name in ingest:
            assert ingest[name] == expected, name
    assert ingest["rows"] + ingest["rejected"] + ingest["duplicates"] == ingest["records"]


@pytest.mark.parametrize("name", ["v1", "v2"])
def test_numbers_are_scikit_learns_and_pandas(document: dict[str, Any], name: str) -> None:
    found, facts = document["models"]["flight-delay"]["versions"][name], FACTS["versions"][name]
    assert (found["predictions"], found["labelled"]) == (facts["predictions"], facts["labelled"])
    for metric in ("accuracy", "precision", "recall", "f1", "mcc", "log_loss", "brier"):
        assert found["performance"][metric]["value"] == pytest.approx(facts["performance"][metric], abs=1e-9)
    for metric in ("roc_auc", "pr_auc"):
        assert found["performance"][metric]["value"] == pytest.approx(facts["performance"][metric], abs=5e-4)
    assert found["confusion"]["counts"] == facts["performance"]["confusion"]
    latency = facts["latency_ms"]
    assert found["latency_ms"]["mean"] == pytest.approx(latency["mean"], rel=1e-9)
    assert found["latency_ms"]["max"] == latency["max"]
    for quantile in ("p50", "p90", "p95", "p99"):
        assert found["latency_ms"][quantile] == pytest.approx(latency[quantile], rel=0.011)
    assert found["errors"]["count"] == facts["errors"]["count"]
    assert found["errors"]["rate"] == pytest.approx(facts["errors"]["rate"], abs=1e-12)
    missing = {feature: counts["missing"] for feature, counts in found["quality"]["features"].items()}
    assert missing == facts["missing"]
    money = facts["business"]
    assert found["business"]["conversion"]["value"] == pytest.approx(
        money["converted"] / facts["predictions"]
    )
    assert found["business"]["engagement"]["value"] == pytest.approx(money["engaged"] / facts["predictions"])
    assert found["business"]["revenue"]["gross"] == pytest.approx(money["gross"], rel=1e-12)


def test_windows_add_up_to_the_range(document: dict[str, Any]) -> None:
    for version in document["models"]["flight-delay"]["versions"].values():
        assert sum(window["predictions"] for window in version["windows"]) == version["predictions"]
        assert sum(window["labelled"] for window in version["windows"]) == version["labelled"]
        assert sum(window["errors"]["count"] for window in version["windows"]) == version["errors"]["count"]


def test_only_the_planted_fault_has_drifted(document: dict[str, Any]) -> None:
    drifted = {
        (name, feature)
        for name, version in document["models"]["flight-delay"]["versions"].items()
        for feature, found in version["quality"]["features"].items()
        if found["drift"]["drifted"]
    }
    assert drifted == {("v2", FACTS["fault"]["feature"])}

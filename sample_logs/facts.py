"""State what is in the sample logs, by a plain reading of every line with pandas and scikit-learn.

Nothing of mlwatch is used, so that its figures can be compared with these.
"""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import sklearn
from sklearn import metrics

if TYPE_CHECKING:
    from pathlib import Path

FAULT = "2026-11-03T17:00:00Z"
FAULTY_FEATURE = "dep_delay"
QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


def read_lines(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Read a JSONL file; return the records that have a time, and how many lines cannot be used."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    good, bad = [], 0
    for line in raw.decode().splitlines():
        try:
            record = json.loads(line)
            pd.Timestamp(record["timestamp"])
        except (ValueError, KeyError):
            bad += 1
        else:
            good.append(record)
    return good, bad


def read_stream(directory: Path) -> tuple[pd.DataFrame, int]:
    """Read every file of a directory into one flat table, in order; return it and how many lines are bad."""
    tables, bad = [], 0
    for path in sorted(directory.iterdir()):
        if path.suffix == ".csv":
            tables.append(pd.read_csv(path))
            continue
        if path.suffix == ".parquet":
            records = pq.read_table(path).to_pylist()
        else:
            records, broken = read_lines(path)
            bad += broken
        tables.append(pd.json_normalize(records))
    table = pd.concat([each.astype({"timestamp": str}) for each in tables], ignore_index=True)
    return table.assign(timestamp=pd.to_datetime(table["timestamp"], format="ISO8601", utc=True)), bad


def read_all(directory: Path) -> dict[str, Any]:
    """Read predictions, labels and events; join them to one row a request."""
    predictions, rejected = read_stream(directory / "predictions")
    labels, _ = read_stream(directory / "labels")
    events, _ = read_stream(directory / "events")
    once = predictions.drop_duplicates(["model", "version", "request_id"])
    last = labels.sort_values("timestamp", kind="stable").drop_duplicates("request_id", keep="last")
    rows = once.merge(last[["request_id", "label"]], on="request_id", how="left")
    for kind in ("alert_opened", "rebooked", "refund"):
        mine = events[events["event"] == kind].groupby("request_id")["value"]
        rows[kind] = rows["request_id"].map(mine.size()).fillna(0)
        rows[f"{kind}_value"] = rows["request_id"].map(mine.sum()).fillna(0.0)
    return {
        "predictions": predictions,
        "labels": labels,
        "events": events,
        "rows": rows,
        "rejected": rejected,
    }


def performance(rows: pd.DataFrame) -> dict[str, Any]:
    """Return the metrics of a binary classifier over the answered and labelled rows, by scikit-learn."""
    known = rows[rows["label"].notna() & rows["prediction"].notna()]
    truth, said, score = known["label"].astype(int), known["prediction"].astype(int), known["score"]
    return {
        "accuracy": metrics.accuracy_score(truth, said),
        "precision": metrics.precision_score(truth, said, zero_division=0.0),
        "recall": metrics.recall_score(truth, said, zero_division=0.0),
        "f1": metrics.f1_score(truth, said, zero_division=0.0),
        "mcc": metrics.matthews_corrcoef(truth, said),
        "roc_auc": metrics.roc_auc_score(truth, score),
        "pr_auc": metrics.average_precision_score(truth, score),
        "log_loss": metrics.log_loss(truth, score),
        "brier": metrics.brier_score_loss(truth, score),
        "confusion": metrics.confusion_matrix(truth, said, labels=[0, 1]).tolist(),
    }


def part(rows: pd.DataFrame) -> dict[str, Any]:
    """Return every figure of a group of requests."""
    latency = rows["latency_ms"].to_numpy()
    features = [name for name in rows.columns if name.startswith("features.")]
    answered = rows["prediction"].notna()
    return {
        "predictions": len(rows),
        "labelled": int((rows["label"].notna() & answered).sum()),
        "first": rows["timestamp"].min().isoformat(),
        "last": rows["timestamp"].max().isoformat(),
        "performance": performance(rows),
        "latency_ms": {
            "mean": latency.mean(),
            **{name: float(np.quantile(latency, q)) for name, q in QUANTILES.items()},
            "max": latency.max(),
        },
        "errors": {"count": int((~answered).sum()), "rate": float((~answered).mean())},
        "answered": int(answered.sum()),
        "missing": {
            name.removeprefix("features."): int(rows.loc[answered, name].isna().sum()) for name in features
        },
        "business": {
            "engaged": int((rows["alert_opened"] > 0).sum()),
            "converted": int((rows["rebooked"] > 0).sum()),
            "refunded": int((rows["refund"] > 0).sum()),
            "gross": rows["rebooked_value"].sum(),
            "refunds": rows["refund_value"].sum(),
            "total": rows["rebooked_value"].sum() - rows["refund_value"].sum(),
        },
    }


def by_hour(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a few figures for each hour."""
    return [
        {
            "start": pd.Timestamp(start).isoformat(),
            "predictions": len(group),
            "labelled": int((group["label"].notna() & group["prediction"].notna()).sum()),
            "correct": int((group["label"] == group["prediction"]).sum()),
            "errors": int(group["prediction"].isna().sum()),
            "converted": int((group["rebooked"] > 0).sum()),
        }
        for start, group in rows.groupby(rows["timestamp"].dt.floor("h").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    ]


def compute(directory: Path) -> dict[str, Any]:
    """Return everything that a reader of the logs should find.

    Args:
        directory: Holds `predictions/`, `labels/` and `events/`.
    """
    read = read_all(directory)
    rows, labels, events = read["rows"], read["labels"], read["events"]
    known = set(rows["request_id"])
    versions = {str(name): group for name, group in rows.groupby("version")}
    broken = rows["timestamp"] >= pd.Timestamp(FAULT)
    return {
        "made_with": {"scikit-learn": sklearn.__version__},
        "model": "flight-delay",
        "baseline": "v1",
        "candidate": "v2",
        "fault": {"from": FAULT, "version": "v2", "feature": FAULTY_FEATURE},
        "ingest": {
            "records": len(read["predictions"]) + read["rejected"] + len(labels) + len(events),
            "predictions": len(rows),
            "rejected": read["rejected"],
            "duplicates": len(read["predictions"]) - len(rows),
            "outcomes": len(labels),
            "outcomes_corrected": len(labels) - labels["request_id"].nunique(),
            "outcomes_unmatched": int((~labels["request_id"].isin(known)).sum()),
            "events": len(events),
            "events_unmatched": int((~events["request_id"].isin(known)).sum()),
        },
        "versions": {name: part(group) for name, group in versions.items()},
        "before_fault": {str(name): part(group) for name, group in rows[~broken].groupby("version")},
        "after_fault": {str(name): part(group) for name, group in rows[broken].groupby("version")},
        "windows": {name: by_hour(group) for name, group in versions.items()},
    }


def write_facts(directory: Path, target: Path) -> None:
    """Write the facts as JSON."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(compute(directory), indent=1, default=float) + "\n")

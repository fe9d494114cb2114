"""Two reports side by side: what changed between two documents `mlwatch.report/1`, as `mlwatch.comparison/1`."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mlwatch.errors import InputError
from mlwatch.faces.comparison_segments import Carrier, carriers
from mlwatch.snapshot.document import SCHEMA as REPORT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Document = Mapping[str, Any]

SCHEMA = "mlwatch.comparison/1"

LOWER_IS_BETTER = frozenset(
    {
        "log_loss",
        "brier",
        "ece",
        "mae",
        "rmse",
        "mape",
        "p50",
        "p95",
        "p99",
        "rate",
        "missing_rate",
        "drifted_share",
    }
)
EITHER_WAY = frozenset({"bias", "throughput_per_s", "predictions", "labelled"})
"""Numbers of which neither direction is better."""

OTHERS: Sequence[tuple[str, str, str, tuple[str, ...]]] = (
    ("Data quality", "Missing values", "ratio", ("quality", "missing_rate")),
    ("Data quality", "Drifted features", "ratio", ("quality", "drifted_share")),
    ("System health", "Latency p50", "ms", ("latency_ms", "p50")),
    ("System health", "Latency p95", "ms", ("latency_ms", "p95")),
    ("System health", "Latency p99", "ms", ("latency_ms", "p99")),
    ("System health", "Throughput", "requests/s", ("throughput_per_s",)),
    ("System health", "Error rate", "ratio", ("errors", "rate")),
    ("Business", "Conversion", "ratio", ("business", "conversion")),
    ("Business", "Engagement", "ratio", ("business", "engagement")),
    ("Business", "Revenue per prediction", "", ("business", "revenue", "per_prediction")),
)
"""Family, name, unit and place of the numbers besides model performance."""


@dataclass(frozen=True, slots=True)
class Change:
    """One number of a version in both reports."""

    model: str
    version: str
    family: str
    metric: str
    unit: str
    before: float | None
    after: float | None
    change: float | None
    """After less before."""
    better: bool | None
    """None where nothing changed, a value is missing, or neither direction is better."""
    clear: bool | None
    """Whether the 95 % intervals are apart; None without intervals."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The verdict on a candidate in both reports; None where a report has none."""

    model: str
    candidate: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class FeatureChange:
    """A feature whose drift began or ended."""

    model: str
    version: str
    feature: str
    before: bool
    after: bool
    score: float | None
    """Of the later report."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that differs, and the numbers of both."""

    before: Mapping[str, Any]
    """Of each report: `generated_at` and `range`."""
    after: Mapping[str, Any]
    verdicts: tuple[Turn, ...]
    metrics: tuple[Change, ...]
    features: tuple[FeatureChange, ...]
    carriers: tuple[Carrier, ...]
    """Segments that carry a rise of errors."""
    only_before: tuple[str, ...]
    """Versions, as `MODEL VERSION`."""
    only_after: tuple[str, ...]
    alerts_new: tuple[str, ...]
    alerts_gone: tuple[str, ...]
    provenance: tuple[tuple[str, str | None, str | None], ...]
    """What is another: name, before, after."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        found = asdict(self)
        found["provenance"] = [
            {"name": name, "before": before, "after": after} for name, before, after in self.provenance
        ]
        return {"schema": SCHEMA, **found}


def compare(before: Document, after: Document, name: str = "report") -> Comparison:
    """Compare two documents.

    Args:
        before: An earlier report, from a file: anything may be in it.
        after: The report of now.
        name: Of the file, for messages.

    Raises:
        InputError: when the earlier one is no report of this schema.
    """
    if not isinstance(before, dict) or before.get("schema") != REPORT:
        raise InputError(
            f"not a report of schema {REPORT}", name, "make one with mlwatch report --format json"
        )
    try:
        return _compared(before, after)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            "the report is damaged", name, "make it again with mlwatch report --format json"
        ) from error


def _compared(before: Document, after: Document) -> Comparison:
    old, new = _versions(before), _versions(after)
    both = [key for key in new if key in old]
    fired, fires = _alerts(before), _alerts(after)
    return Comparison(
        before=_head(before),
        after=_head(after),
        verdicts=tuple(_turns(before, after)),
        metrics=tuple(change for key in both for change in _changes(key, old[key], new[key])),
        features=tuple(change for key in both for change in _drifts(key, old[key], new[key])),
        carriers=tuple(one for key in both for one in carriers(key, old[key], new[key])),
        only_before=tuple(" ".join(key) for key in old if key not in new),
        only_after=tuple(" ".join(key) for key in new if key not in old),
        alerts_new=tuple(text for text in fires if text not in fired),
        alerts_gone=tuple(text for text in fired if text not in fires),
        provenance=tuple(_other(before["provenance"], after["provenance"])),
    )


def _head(report: Document) -> Mapping[str, Any]:
    limits = report["range"]
    return {
        "generated_at": _text(report["generated_at"]),
        "range": {"start": _text(limits["start"]), "end": _text(limits["end"])},
    }


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _versions(report: Document) -> dict[tuple[str, str], Document]:
    return {
        (str(model), str(version)): found
        for model, each in report["models"].items()
        for version, found in each["versions"].items()
    }


def _turns(before: Document, after: Document) -> Iterator[Turn]:
    old, new = (
        {(str(one["model"]), str(one["candidate"])): str(one["verdict"]) for one in report["rollouts"]}
        for report in (before, after)
    )
    for key in dict.fromkeys((*new, *old)):
        yield Turn(*key, old.get(key), new.get(key))


def _alerts(report: Document) -> list[str]:
    return [str(one["message"]) for one in report["alerts"] if one["state"] == "firing"]


def _other(before: Document, after: Document) -> Iterator[tuple[str, str | None, str | None]]:
    for name in dict.fromkeys((*after, *before)):
        pair = _text(before.get(name)), _text(after.get(name))
        if pair[0] != pair[1]:
            yield (str(name), *pair)


def _changes(key: tuple[str, str], old: Document, new: Document) -> Iterator[Change]:
    for name in new["performance"]:
        yield _change(
            key, ("Model performance", name, ""), name, old["performance"].get(name), new["performance"][name]
        )
    for family, title, unit, path in OTHERS:
        yield _change(key, (family, title, unit), path[-1], _at(old, path), _at(new, path))


def _at(version: Any, path: Sequence[str]) -> Any:
    """Return a number of a version with its interval: most stand beside it, those of quantiles by themselves."""
    *place, name = path
    for part in place:
        version = version[part]
    found = version[name]
    if isinstance(found, dict):
        return found
    beside = version.get("quantiles", {}).get(name, version)
    return {"value": found, "low": beside.get("low"), "high": beside.get("high")}


def _change(key: tuple[str, str], said: tuple[str, str, str], name: str, old: Any, new: Any) -> Change:
    a, b = _number(old), _number(new)
    change = b - a if a is not None and b is not None else None
    better = None if not change or name in EITHER_WAY else (change < 0) == (name in LOWER_IS_BETTER)
    return Change(*key, *said, a, b, change, better, _apart(old, new))


def _number(found: Any) -> float | None:
    value = found.get("value") if isinstance(found, dict) else found
    if value is None or isinstance(value, bool):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _apart(old: Any, new: Any) -> bool | None:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return None
    limits = [_number(found.get(end)) for found in (old, new) for end in ("low", "high")]
    if None in limits:
        return None
    low, high, later_low, later_high = (limit or 0.0 for limit in limits)
    return later_high < low or later_low > high


def _drifts(key: tuple[str, str], old: Document, new: Document) -> Iterator[FeatureChange]:
    former, latter = old["quality"]["features"], new["quality"]["features"]
    for name, feature in latter.items():
        if name not in former:
            continue
        was, is_ = bool(former[name]["drift"]["drifted"]), bool(feature["drift"]["drifted"])
        if was != is_:
            yield FeatureChange(*key, str(name), was, is_, _number(feature["drift"]["score"]))

"""The numbers of a model's versions side by side, in words: what Markdown and HTML lay out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mlwatch.faces.cells import estimated, number, plain, share, within
from mlwatch.metrics.estimate import Estimate
from mlwatch.snapshot.types import kinds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlwatch.metrics.drift import Drift
    from mlwatch.snapshot.health_types import Endpoint
    from mlwatch.snapshot.types import Snapshot, Version

    Show = Callable[[Version], str]

SPELLED = {
    "f1": "F1",
    "mcc": "MCC",
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
    "ece": "ECE",
    "mae": "MAE",
    "rmse": "RMSE",
    "mape": "MAPE",
    "r2": "R²",
    "macro_f1": "Macro F1",
    "weighted_f1": "Weighted F1",
    "ndcg_10": "NDCG@10",
    "mrr": "Mean reciprocal rank",
    "hit_rate_10": "Hit rate@10",
    "pinball": "Pinball loss",
}


class Row(NamedTuple):
    """One number, a cell a version."""

    family: str
    name: str
    cells: list[str]


def title_of(metric: str) -> str:
    """Return a metric's name as the field writes it."""
    return SPELLED.get(metric) or metric.replace("_", " ").capitalize()


def rows_of(versions: Sequence[Version]) -> list[Row]:
    """Return all rows of a model's versions, family by family."""
    metrics = dict.fromkeys(name for version in versions for name in version.performance)
    expected = dict.fromkeys(name for version in versions for name in version.estimated)
    shows: list[tuple[str, str, Show]] = [
        ("", "Predictions", lambda v: f"{v.predictions:,}"),
        ("", "Labelled", lambda v: f"{v.labelled:,}"),
        *(("Model performance", title_of(name), _metric(name)) for name in metrics),
        *(("Estimated without labels", f"{title_of(name)}, estimated", _expected(name)) for name in expected),
        ("Data quality", "Missing values", lambda v: share(v.quality.missing_rate)),
        ("Data quality", "Drifted features", lambda v: share(v.quality.drifted_share)),
        ("Data quality", "Prediction drift", _prediction_drift),
        ("Data quality", "Label drift", _label_drift),
        *([("Data quality", "Score drift", _score_drift)] if _scored(versions) else []),
        *([("Data quality", "Repeated rows", _repeated)] if _repeating(versions) else []),
        *(("System health", f"Latency {name}", _latency(name)) for name in ("p50", "p95", "p99")),
        ("System health", "Latency, mean and longest", _longest),
        ("System health", "Throughput", lambda v: number(v.throughput_per_s, " requests/s")),
        (
            "System health",
            "Error rate",
            lambda v: within(v.errors.rate, v.errors.low, v.errors.high, share),
        ),
        ("Business", "Conversion", lambda v: estimated(v.business.conversion, share)),
        ("Business", "Engagement", lambda v: estimated(v.business.engagement, share)),
        ("Business", "Revenue per prediction", _revenue),
        *_further(versions),
    ]
    return [Row(family, name, [show(version) for version in versions]) for family, name, show in shows]


NO_REFERENCE = "there is no reference to compare with"
TOO_FEW = "there are too few values to compare"
MOST_TRAINED = 12
MEASURED = {
    "input_tokens": ("System health", "Input tokens a request", ""),
    "output_tokens": ("System health", "Output tokens a request", ""),
    "first_token": ("System health", "Time to the first token", " ms"),
    "per_token": ("System health", "Time a token", " ms"),
    "characters": ("Data quality", "Characters of an answer", ""),
    "words": ("Data quality", "Words of an answer", ""),
    "empty": ("Data quality", "Empty answers", "%"),
    "refusal": ("Data quality", "Refusals", "%"),
    "cost": ("Business", "Cost of 1,000 predictions", " x"),
}
"""Family, name and unit of what requests took or gave."""


def _further(versions: Sequence[Version]) -> list[tuple[str, str, Show]]:
    """Return the rows of what only some configurations ask for."""
    rows: list[tuple[str, str, Show]] = []
    trained = dict.fromkeys(name for v in versions if v.registered for name in v.registered.metrics)
    rows += [
        ("In training", f"{title_of(name)}, in training", _trained(name))
        for name in list(trained)[:MOST_TRAINED]
    ]
    measured = {name for version in versions for name in version.outputs.measures}
    rows += [(*MEASURED[name][:2], _measured(name)) for name in MEASURED if name in measured]
    for name in dict.fromkeys(each for version in versions for each in version.quality.text_drift):
        rows.append(("Data quality", f"Drift of the answers' {name}", _text_drift(name)))
    for kind, valued in kinds_of(versions).items():
        rows.append(("Business", f"{kind}, share of predictions", _engaged(kind)))
        if valued:
            rows.append(("Business", f"{kind}, mean value", _engagement_value(kind)))
    if any(version.business.approval for version in versions):
        rows.append(("Business", "Thumbs up", _approval))
    if any(version.maturity is not None for version in versions):
        rows.append(("Business", "Of the conversions to come, so far", lambda v: share(v.maturity)))
    if any(version.outputs.error_kinds for version in versions):
        rows.append(("System health", "Kinds of errors", _kinds))
    if any(version.business.decisions for version in versions):
        rows.append(("Business", "Profit of 1,000 decisions", _decisions))
    for column in dict.fromkeys(each.column for version in versions for each in version.fairness):
        rows += [
            ("Fairness", f"{column}: gap in positives", _gap(column, "demographic_parity")),
            ("Fairness", f"{column}: gap in recall", _gap(column, "equal_opportunity")),
        ]
    return rows


def _text_drift(name: str) -> Show:
    return lambda version: _moved(version.quality.text_drift.get(name), NO_REFERENCE)


def _prediction_drift(version: Version) -> str:
    return _moved(version.quality.prediction_drift, version.quality.why_not("predictions"))


def _repeating(versions: Sequence[Version]) -> bool:
    return any(each.quality.repeats is not None and each.quality.repeats.repeated for each in versions)


def _repeated(version: Version) -> str:
    repeats = version.quality.repeats
    return "n/a" if repeats is None else f"{repeats.repeated:,} of {repeats.looked_at:,} without an id"


def _scored(versions: Sequence[Version]) -> bool:
    return any(version.quality.score_drift is not None for version in versions)


def _score_drift(version: Version) -> str:
    return _moved(version.quality.score_drift, version.quality.why_not("scores"))


def _latency(name: str) -> Show:
    def show(version: Version) -> str:
        found = version.latency.quantiles.get(name)
        bounds = (found.low, found.high) if found is not None else (None, None)
        return within(getattr(version.latency, name), *bounds, lambda value: number(value, " ms"))

    return show


def _longest(version: Version) -> str:
    return f"{number(version.latency.mean, ' ms')}, {number(version.latency.max, ' ms')}"


def _label_drift(version: Version) -> str:
    found = version.quality.label_drift
    return _moved(found.drift, found.reason or NO_REFERENCE)


def _moved(drift: Drift | None, reason: str) -> str:
    """Return a drift score, with a word where it counts as drift."""
    if drift is None or drift.told is None:
        return f"n/a, because {reason if drift is None else TOO_FEW}"
    return f"{drift.told:.3f}{' drifted' if drift.drifted else ''}"


def _trained(name: str) -> Show:
    def show(version: Version) -> str:
        value = version.registered.metrics.get(name) if version.registered is not None else None
        return "n/a" if value is None else f"{value:.4g}"

    return show


def _measured(name: str) -> Show:
    unit = MEASURED[name][2]
    factor = 1000 if name == "cost" else 1

    def show(version: Version) -> str:
        found = version.outputs.measures.get(name)
        if found is None:
            return "n/a"
        currency = version.outputs.currency or ""
        ends = {"%": "", " x": f" {currency}"}.get(unit, unit)
        return estimated(found.mean, share if unit == "%" else lambda value: number(value * factor, ends))

    return show


MOST_KINDS = 4


def _kinds(version: Version) -> str:
    kinds = list(version.outputs.error_kinds.items())
    more = f", {len(kinds) - MOST_KINDS:,} more kinds" if len(kinds) > MOST_KINDS else ""
    return (", ".join(f"{name} {n:,}" for name, n in kinds[:MOST_KINDS]) or "none") + more


def _engaged(kind: str) -> Show:
    def show(version: Version) -> str:
        found = version.business.kinds.get(kind)
        return "n/a" if found is None else estimated(found.share, share)

    return show


def _engagement_value(kind: str) -> Show:
    def show(version: Version) -> str:
        found = version.business.kinds.get(kind)
        return "n/a" if found is None or found.value is None else estimated(found.value, plain)

    return show


def _approval(version: Version) -> str:
    found = version.business.approval
    return "n/a, because there are no thumbs" if found is None else estimated(found, share)


def _decisions(version: Version) -> str:
    found = version.business.decisions
    return "n/a" if found is None else estimated(found, plain)


def _gap(column: str, kind: str) -> Show:
    def show(version: Version) -> str:
        found = version.gap(column, kind)
        return "n/a" if found is None else estimated(found, share)

    return show


def drifted(versions: Sequence[Version]) -> list[tuple[Version, str, Drift]]:
    """Return the features that drifted, the farthest first."""
    found = [
        (version, name, feature.drift)
        for version in versions
        for name, feature in version.quality.features.items()
        if feature.drift is not None and feature.drift.drifted
    ]
    return sorted(found, key=lambda each: -(each[2].score or 0.0))


def how(version: Version, name: str) -> str:
    """Say how a feature moved; empty where nothing is known of it."""
    move = version.quality.features[name].move
    return move.sentence if move is not None else ""


BROKEN_HEADS = ("Feature", "Version", "Broken", "Of", "What they are", "For example")


def broken_rows(versions: Sequence[Version]) -> list[list[str]]:
    """Return the cells of the demands of `[schema]` that values break, in the order of `BROKEN_HEADS`."""
    return [
        [each.feature, version.name, f"{each.bad:,}", f"{each.n:,}", each.demand, each.example or ""]
        for version in versions
        for each in version.constraints
        if each.bad
    ]


def strangers(versions: Sequence[Version]) -> list[str]:
    """Say which features a version no longer has, and which only it has."""
    said = []
    for version in versions:
        for word, names in (
            ("no longer has", version.quality.vanished),
            ("newly has", version.quality.appeared),
        ):
            if names:
                more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
                said.append(f"{version.name} {word} {', '.join(names[:MOST_NAMES])}{more}")
    return said


MOST_NAMES = 10


ENDPOINT_HEADS = (
    "Endpoint",
    "State",
    "Server",
    "Serves",
    "p50",
    "p95",
    "Failed probes",
    "Uptime 24 h",
    "Last error",
)


def endpoint_rows(endpoints: Sequence[Endpoint]) -> list[list[str]]:
    """Return the cells of each endpoint, in the order of `ENDPOINT_HEADS`."""
    return [_endpoint(endpoint) for endpoint in endpoints]


def _endpoint(endpoint: Endpoint) -> list[str]:
    count = len(endpoint.replicas)
    up = "answers, ready n/a" if endpoint.doubt else "up"
    states = {"ok": up, "warn": f"{endpoint.up} of {count} up", "bad": "down", "unknown": "not polled"}
    state = "not asked" if endpoint.unasked else states[endpoint.state]
    versions = (
        f"{one.model} {one.version}" + (f" ({one.replicas} of {count})" if count > 1 else "")
        for one in endpoint.served
    )
    return [
        endpoint.name,
        state,
        endpoint.server or "n/a",
        ", ".join(versions) or "n/a",
        number(endpoint.latency.p50, " ms"),
        number(endpoint.latency.p95, " ms"),
        share(endpoint.failed / endpoint.probes if endpoint.probes else None),
        share(endpoint.day.share),
        endpoint.unasked or endpoint.error or endpoint.doubt or "none",
    ]


def _expected(name: str) -> Show:
    def show(version: Version) -> str:
        found = version.estimated.get(name)
        return "n/a" if found is None else estimated(found, plain)

    return show


def _metric(name: str) -> Show:
    def show(version: Version) -> str:
        found = version.performance.get(name)
        return "n/a" if found is None else estimated(found, plain)

    return show


def _revenue(version: Version) -> str:
    money = version.business.revenue
    if money.per_prediction is None:
        return "n/a"
    found = Estimate(money.per_prediction, 0, money.low, money.high, winsorised=money.winsorised)
    return estimated(found, lambda value: number(value, f" {money.currency or ''}"))


MADE_BY = {
    "git": "Code (git)",
    "data": "Data (DVC)",
    "registry": "Model registry",
    "training": "Training runs",
    "config_sha256": "Configuration (SHA-256)",
    "reference_sha256": "Reference (SHA-256)",
    "filter": "Only records with",
}


def provenance_rows(snapshot: Snapshot) -> list[list[str]]:
    """Return name and version of everything that a report rests on: code, data, models, configuration, reference."""
    known = {key: value for key, value in snapshot.provenance.items() if value or key != "filter"}
    rows = [[MADE_BY.get(key, key), value or "n/a"] for key, value in known.items()]
    for model in list(snapshot.models.values())[:MOST_NAMES]:
        versions = [_made(version) for version in list(model.versions.values())[:MOST_NAMES]]
        rows.append([f"Model {model.name}", "; ".join(versions) or "n/a"])
        rows.append([f"Reference of {model.name}", model.reference or "n/a"])
    return rows


def _made(version: Version) -> str:
    """Name a version with the run and the data that made it, where a registry says so."""
    entry = version.registered
    parts = [f"registered as {entry.version}"] if entry is not None and entry.version != version.name else []
    if entry is not None and entry.run_id:
        parts.append(f"run {entry.run_id}")
    if entry is not None and entry.data:
        parts.append(f"data {entry.data}")
    return f"{version.name} ({', '.join((version.role, *parts))})"

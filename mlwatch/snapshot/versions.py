"""Fill one version of a model from its rows: pure functions of the sums of the range."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from mlwatch.metrics import performance as classes
from mlwatch.metrics.estimate import Estimate, undefined
from mlwatch.snapshot import distributions, estimated, families, feature_windows, features, outputs
from mlwatch.snapshot.feature_cells import Cells
from mlwatch.snapshot.label_drift import drift_of
from mlwatch.snapshot.mix import answers_of, labels_of
from mlwatch.snapshot.span import aware
from mlwatch.snapshot.tables import NOW_S
from mlwatch.snapshot.text_drift import drifts_of
from mlwatch.snapshot.types import ConfusionTable, Throughput, Version
from mlwatch.snapshot.windows import Context, OfFeatures, windows_of
from mlwatch.snapshot.winsorised import cuts_of, value_cuts
from mlwatch.store import rollups

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import numpy as np

    from mlwatch.metrics.winsor import Cut
    from mlwatch.snapshot.read import Life, Table
    from mlwatch.snapshot.tables import Decided, Tables
    from mlwatch.snapshot.types import Business, Quality, Role
    from mlwatch.snapshot.window_results import WindowResults
    from mlwatch.snapshot.winsorised import KindCuts


def version_of(
    life: Life,
    role: Role,
    tables: Tables,
    decided: Decided | None,
    context: Context,
    results: WindowResults | None = None,
) -> Version:
    """Return a version over the range and in each of its windows.

    Args:
        life: Which.
        role: Its role.
        tables: Its rows.
        decided: Its scores by decision; None where nothing is estimated from them.
        context: What the versions of the model share.
        results: What its scores, ranks and amounts say in each window.
    """
    traffic = tables.traffic
    predictions = traffic.whole("n")
    errors = families.errors(traffic)
    performance, confusion, per_class = _performance(context, tables.outcomes, tables.scores)
    performance = outputs.performance_of(tables.outputs, performance)
    if predictions == errors.count:  # whatever labels there are
        why = "all requests failed" if predictions else "no requests in this time range"
        performance = dict.fromkeys(performance, undefined(why))
    lattice = context.lattice
    seconds = _active_seconds(traffic)
    quality, over = _quality(tables, context)
    cut, cuts = cuts_of(tables.worth, predictions, lattice.count)
    values, values_over = value_cuts(tables.event_values, tables.business, lattice.count)
    return Version(
        name=life.pair.version,
        role=role,
        predictions=predictions,
        labelled=tables.outcomes.whole("n"),
        first=aware(_moment(traffic["first_ts"].min())) if predictions else None,
        last=aware(_moment(traffic["last_ts"].max())) if predictions else None,
        performance=performance,
        per_class=per_class,
        outputs=outputs.of_range(tables.outputs, context.cost_currency),
        label_coverage=outputs.label_coverage(tables.traffic, tables.outcomes, lattice),
        maturity=outputs.maturity(context.lags, tables.traffic, lattice, context.later_s),
        confusion=confusion,
        latency=families.latencies(tables.latency if predictions else None, traffic, context.target_ms),
        throughput_per_s=(predictions + tables.sampling.sum("unseen")) / seconds if seconds else None,
        errors=errors,
        quality=quality,
        business=_business(tables, predictions, context, cut, values),
        windows=windows_of(tables, decided, context, over, cuts, values_over, results),
        latency_bars=distributions.latency_bars(tables.latency),
        residual_bars=distributions.residual_bars(tables.outputs.residuals, context.residual_edges),
        labels=labels_of(context.task, tables.outcomes, context.positive),
        answers=answers_of(context.task, tables.outcomes, context.positive),
        scores=distributions.scores(tables.scores, context.positive, context.score_span),
        throughput=_throughput(tables.minutes),
        label_lag=families.label_lag(tables.lags),
        estimated=estimated.of_range(context.teacher, decided, tables.features, tables.outputs.class_decided),
    )


def _quality(tables: Tables, context: Context) -> tuple[Quality, OfFeatures]:
    """Return the data quality over the range, and what is missing and moved in each window."""
    found, over = _quality_of_features(Cells(tables.features), context)
    label_drift = drift_of(
        *(context.task, context.labels, tables.outcomes, tables.features),
        context.infos[rollups.LABEL],
        context.policy,
    )
    quality = replace(
        found,
        label_drift=label_drift,
        text_drift=drifts_of(context.texts, tables.outputs.measures, context.policy),
        text_reference=context.texts.description if context.texts is not None else None,
    )
    return quality, over


def _quality_of_features(cells: Cells, context: Context) -> tuple[Quality, OfFeatures]:
    known, lattice = context.reference, context.lattice
    asked = (context.infos, known, context.expected, context.policy, context.sigmas)
    found = features.quality(cells.rows, *asked, cells, context.aside)
    first, drifted = feature_windows.followed(context.infos, found.features)
    scores = feature_windows.drift_by_window(
        cells, context.infos, known, [*first, *drifted], lattice.count, context.policy
    )
    level = lattice.level(rollups.FEATURES)
    over = {number: tuple(lattice.held(each, level)) for number, each in scores.items()}
    by_name = {context.infos[number].name: each for number, each in over.items()}
    followed = {
        name: replace(feature, drift_over=by_name[name]) if name in by_name else feature
        for name, feature in found.features.items()
    }
    of_first = {number: over[number] for number in first if number in over}
    means = feature_windows.mean_by_window(of_first, lattice.count) if of_first else ()
    missing = feature_windows.missing_by_window(cells, context.expected)
    held = lattice.held([missing.get(index) for index in range(lattice.count)], level)
    return replace(found, features=followed), OfFeatures(held, means)


def _business(
    tables: Tables, predictions: int, context: Context, cut: Cut | None, values: KindCuts
) -> Business:
    """Return what predictions brought over the range, and what their decisions are worth."""
    found = families.business(
        tables.business,
        predictions,
        seen=context.events,
        currency=context.currency,
        kinds=context.kinds,
        cut=cut,
        values=values,
    )
    return replace(found, decisions=context.question.worth(tables.outcomes))


def _throughput(minutes: Table) -> Throughput:
    if not len(minutes):
        return Throughput()
    seconds = {"last_minute": 60, "last_five": 300, "peak": 60, "now": NOW_S}
    rates = (minutes.sum(name) / length for name, length in seconds.items())
    return Throughput(*(None if math.isnan(rate) else rate for rate in rates))


def _active_seconds(traffic: Table) -> float | None:
    """Return the time between a version's first and last request in the range, at least a second."""
    if not len(traffic):
        return None
    first, last = _moment(traffic["first_ts"].min()), _moment(traffic["last_ts"].max())
    return max(1.0, (last - first).total_seconds())


def _moment(stamp: np.datetime64) -> datetime:
    """Return a time of a table as a datetime, naive UTC."""
    moment: datetime = stamp.astype("datetime64[us]").item()
    return moment


def _performance(
    context: Context, rows: Table, scores: Table
) -> tuple[Mapping[str, Estimate], ConfusionTable | None, Mapping[str, Mapping[str, Estimate]]]:
    if context.task == "regression":
        return families.regressed(rows), None, {}
    if context.task == "unknown":
        return {"accuracy": undefined("the predictions are neither classes nor numbers")}, None, {}
    found, confusion = families.classified(context.task, rows, scores, context.positive)
    per_class = classes.per_class(confusion) if context.task == "multiclass" else {}
    return found, families.confusion_table(confusion) if confusion.n else None, per_class

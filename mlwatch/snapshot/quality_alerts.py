"""What the data themselves give cause to say: features that vanish, appear, change type or stand still; odd volumes.

Pure functions of what a snapshot shows, so that the past tells the same story.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING

from mlwatch.errors import one_line
from mlwatch.metrics.curves import CONFIDENCES
from mlwatch.snapshot.clocks import TOLERANCE, alert_of
from mlwatch.snapshot.event_alerts import event_alerts
from mlwatch.snapshot.types import MIXED, QUALITY, Alert
from mlwatch.snapshot.undecided import is_coded
from mlwatch.snapshot.unmatched import quoted
from mlwatch.words import percent, whose

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from mlwatch.snapshot.strangers import Strangers
    from mlwatch.snapshot.types import FeatureQuality, Ingest, Lately, Model, Severity, Version

RULE = QUALITY
REJECTED = f"{RULE}rejected records"
"""What is said where many records are in the quarantine."""
ENOUGH = 50
"""Rows of a version before anything is said of its features."""
WRONG = 0.5
"""Share of values that do not fit from which on a feature has changed its type."""
SKEW = 0.05
"""Least change of a missing rate against the reference that is worth a word."""
INVALID, UNSEEN, OUTSIDE = 0.01, 0.05, 0.01
"""Least shares of values that are no numbers, of categories and numbers that the reference does not have."""
OFTEN = 10.0
"""How many times as many numbers must lie outside as chance puts beyond a reference of that size."""
STANDING = timedelta(minutes=30)
"""Shortest time of a version's requests in which one minute's share of them means something."""
CROWDED, TIMES = 0.2, 20.0
"""Share of its requests in one minute that means something, and how many times as many as in others these must be."""
TROUBLED = 0.01
"""Share of records that are rejected, or repeated, from which on a word is said of them."""
EARLIER_WINDOWS = 8
USUAL = 20
"""Requests that a window has as a rule before a change of them means something."""
FALL, RISE = 0.2, 5.0
"""Shares of the usual number of requests beyond which a window is odd."""
DEVIATIONS = 6.0
"""How far, in robust standard deviations of the earlier windows, it must be off as well."""
LABELLED = 30
"""Labelled predictions from which on it is no chance that none is right."""
FOREIGN = 3
"""Classes of labels and predictions together from which on they name them differently: two may be a binary model's."""
NAMED = 5
"""Features that one alert names."""


def quality_alerts(
    models: Mapping[str, Model], ingest: Ingest, end: datetime | None, now: datetime | None
) -> tuple[Alert, ...]:
    """Return what is odd about the data of a range.

    Args:
        models: With their versions.
        ingest: Totals.
        end: Of the range, aware; None without one.
        now: The clock; None where the past is looked at.
    """
    if end is None:
        return () if now is None else tuple(_troubled(ingest, now))  # nothing else was readable
    found = [*_troubled(ingest, end)]
    for model in models.values():
        its_model = whose(models, one_line(model.name))
        of_model = (*_volume(model), *_currencies(model, end, its_model), *_classes(model, end, its_model))
        found += (replace(alert, about=f"{model.name} {alert.about}".rstrip()) for alert in of_model)
        for version in model.versions.values():
            who = one_line(version.name) + its_model
            of_version = [
                *_features(version, end, who),
                *_confidences(version, end, who),
                *_standing(version, who),
                *_repeated(version, who, end),
                *event_alerts(version, who, end),
            ]
            if now is not None:
                of_version += _future(version, now, who)
            found += (replace(alert, about=f"{model.name} {version.name}") for alert in of_version)
    return tuple(found)


def _features(version: Version, end: datetime, who: str) -> Iterator[Alert]:
    """Say in one alert a kind what is odd about a version's features."""
    quality = version.quality
    if version.predictions - version.errors.count < ENOUGH:
        return
    gone = quality.vanished
    wrong = [n for n, f in quality.features.items() if f.n >= ENOUGH and f.invalid >= WRONG * _present(f)]
    wrong = [n for n in wrong if quality.features[n].invalid]
    stuck = [n for n, f in quality.features.items() if f.stuck]
    told = {*gone, *quality.appeared}
    strange = [n for n, f in quality.features.items() if n not in wrong and _often(f, f.invalid, INVALID)]
    unseen = [n for n, f in quality.features.items() if _moved(f) and _often(f, f.unseen, UNSEEN)]
    outside = [
        n for n, f in quality.features.items() if _often(f, f.out_of_range, max(OUTSIDE, _by_chance(f)))
    ]
    skewed = [n for n, f in quality.features.items() if n not in told and _skewed(f)]
    kinds: tuple[tuple[str, Severity, Sequence[str], str], ...] = (
        ("vanished features", "warning", gone, f"{who} logs no value of"),
        ("changed types", "warning", wrong, f"most values in {who} are no numbers any more:"),
        (
            "stuck features",
            "warning",
            stuck,
            f"{who} logs values of one bin only, reference or earlier ones had more:",
        ),
        ("invalid values", "warning", strange, f"values in {who} that are no numbers:"),
        ("out of range", "warning", outside, f"values in {who} beyond all of the reference's:"),
        ("unseen categories", "info", unseen, f"values in {who} that the reference does not have:"),
        ("training-serving skew", "warning", skewed, f"the missing rate in {who} is not the reference's:"),
        ("new features", "info", quality.appeared, f"{who} logs what neither reference nor baseline has:"),
        *_strange(quality.strangers, who),
    )
    for kind, severity, names, text in kinds:
        if names:
            said = listed([_named(one, quality.features.get(one), kind) for one in names])
            yield Alert(RULE + kind, "firing", severity, f"{text} {said}", end, float(len(names)))


def _strange(found: Strangers, who: str) -> Iterator[tuple[str, Severity, Sequence[str], str]]:
    """Say what is compared with nothing, though the reference has something like it."""
    names = [f"{mine} ({its})" for mine, its in found.names.items()]
    yield (
        "other names",
        "warning",
        names,
        f"{who} logs what the reference calls otherwise, which is not compared:",
    )
    text = f"no feature of {who} is in the reference, which has"
    yield "no reference", "info", found.others, text


def _present(feature: FeatureQuality) -> int:
    return feature.n - feature.missing


def _skewed(feature: FeatureQuality) -> bool:
    return feature.missing_change is not None and feature.missing_change.beyond(SKEW)


def _often(feature: FeatureQuality, count: int, share: float) -> bool:
    return feature.n >= ENOUGH and count > 0 and count >= share * _present(feature)


def _moved(feature: FeatureQuality) -> bool:
    return feature.drift is not None and feature.drift.drifted


def _by_chance(feature: FeatureQuality) -> float:
    """Return a share of values that lie outside of a reference's range far more often than by chance, 2 / (n + 1)."""
    return OFTEN * 2 / (feature.drift.n_reference + 1) if feature.drift is not None else 1.0


COUNTED = {"invalid values": "invalid", "out of range": "out_of_range", "unseen categories": "unseen"}


def _named(name: str, feature: FeatureQuality | None, kind: str) -> str:
    if kind in COUNTED and feature is not None:
        share = getattr(feature, COUNTED[kind]) / _present(feature)
        return f"{one_line(name)} ({percent(share)} of {_present(feature):,})"
    if kind != "training-serving skew" or feature is None or feature.missing_change is None:
        return one_line(name)
    now = feature.missing / feature.n
    return f"{one_line(name)} ({percent(now - feature.missing_change.difference)} → {percent(now)})"


def listed(names: Sequence[str]) -> str:
    """Return names as one text; of many the first ones."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _troubled(ingest: Ingest, end: datetime) -> Iterator[Alert]:
    """Say how many records are rejected or repeated: of the last hour's, which are few of an old store, or of all."""
    kinds: tuple[tuple[str, str, Severity, str], ...] = (
        ("duplicates", f"{RULE}duplicates", "info", "repeat earlier ones; each is counted once"),
        ("rejected", REJECTED, "warning", "are rejected: the quarantine says which and why"),
    )
    looked_at: list[tuple[Ingest | Lately, str]] = [(ingest, "")]
    if ingest.lately is not None and ingest.lately.records < ingest.records:
        looked_at.insert(0, (ingest.lately, "of the last hour "))
    for name, rule, severity, what in kinds:
        for counts, when in looked_at:
            n: int = getattr(counts, name)
            if n >= ENOUGH and n > TROUBLED * counts.records:
                text = f"{n:,} records {when}({percent(n / counts.records)}) {what}"
                yield Alert(rule, "firing", severity, text, end, n / counts.records)
                break


def _currencies(model: Model, end: datetime, of_model: str) -> Iterator[Alert]:
    """Say that amounts in several currencies are added up."""
    said = {version.business.revenue.currency or "" for version in model.versions.values()}
    for currency in sorted(said):
        if MIXED in currency:
            text = f"amounts{of_model} in {one_line(currency)[:60]} are added up as they stand"
            yield Alert(f"{RULE}currencies", "firing", "warning", text, end, float(currency.count(MIXED) + 1))


def _classes(model: Model, end: datetime, of_model: str) -> Iterator[Alert]:
    """Say that predictions and labels name classes differently: none can be right then."""
    tables = {name: version.confusion for name, version in model.versions.items() if version.confusion}
    true = {label for table in tables.values() for label in _with_any(table.labels, table.counts)}
    for name, table in tables.items():
        if model.versions[name].labelled < LABELLED or any(row[at] for at, row in enumerate(table.counts)):
            continue
        labels = _with_any(table.labels, table.counts)
        predicted = _with_any(table.labels, list(zip(*table.counts, strict=True)))
        if true.isdisjoint(predicted) and len(labels) + len(predicted) >= FOREIGN:
            text = (
                f"no accuracy of {one_line(name)}{of_model}: its predictions are 1 and 0 (logged, or made of truth "
                f"values or scores), its labels are {_some(labels)}; log both with the same names of classes"
                if is_coded(predicted, labels)
                else f"no prediction of {one_line(name)}{of_model} can be right: it predicts {_some(predicted)}, "
                f"its labels are {_some(labels)}; log both with the same names of classes"
            )
            yield Alert(f"{RULE}classes", "firing", "warning", text, end, float(len(predicted)), name)


def _confidences(version: Version, end: datetime, who: str) -> Iterator[Alert]:
    """Say that scores were left out, which the metrics of scores have as their reason."""
    area = version.performance.get("roc_auc")
    if area is not None and area.reason == CONFIDENCES:
        text = (
            f"the scores of {who} are the confidence in the predicted class: both classes have them from 0.5 up "
            "alike; they are left out, log the probability of the positive class"
        )
        yield Alert(f"{RULE}confidences", "firing", "warning", text, end, 1.0, version.name)


def _with_any(names: Sequence[str], counts: Sequence[Sequence[int]]) -> list[str]:
    return [name for name, row in zip(names, counts, strict=True) if any(row)]


def _some(classes: Sequence[str]) -> str:
    """Name the first classes."""
    if len(classes) <= 2:
        return " and ".join(quoted(name) for name in classes)
    return f"{', '.join(quoted(name) for name in classes[:2])} and {len(classes) - 2:,} more"


def _future(version: Version, now: datetime, who: str) -> Iterator[Alert]:
    if version.last is not None and version.last - now > TOLERANCE:
        yield alert_of(f"the newest record of {who} is", version.last, now)


def _repeated(version: Version, who: str, end: datetime) -> Iterator[Alert]:
    """Say that requests without an id equal others: a log that came twice is counted twice."""
    repeats = version.quality.repeats
    if repeats is None or not repeats.are_told_apart:
        return
    if repeats.repeated >= ENOUGH and repeats.share > TROUBLED:
        text = (
            f"{repeats.repeated:,} requests of {who} ({percent(repeats.share)} of those without an id) repeat an "
            "earlier one in every column that is kept, its time included; each is counted"
        )
        yield Alert(f"{RULE}repeated rows", "firing", "info", text, end, repeats.share)


def _standing(version: Version, who: str) -> Iterator[Alert]:
    """Say that most requests carry the time of one minute."""
    first, last, peak = version.first, version.last, version.throughput.peak
    if first is None or last is None or peak is None or last - first < STANDING:
        return
    most = round(60 * peak)
    usual = (version.predictions - most) / ((last - first) / timedelta(minutes=1))
    if most >= ENOUGH and most >= CROWDED * version.predictions and most >= TIMES * usual:
        text = (
            f"{most:,} of {version.predictions:,} requests of {who} carry times of one minute: "
            "a clock stood still, or they were scored at once"
        )
        yield Alert(f"{RULE}stale timestamps", "firing", "info", text, last, most / version.predictions)


def _volume(model: Model) -> Iterator[Alert]:
    """Compare the last whole window of all versions with the earlier ones."""
    windows = [version.windows for version in model.versions.values() if version.windows]
    if not windows:
        return
    totals = [sum(part.predictions for part in parts) for parts in zip(*windows, strict=False)]
    whole = totals[1:-1]  # the first and the last one may have been cut off
    if len(whole) <= EARLIER_WINDOWS:
        return
    *earlier, last = whole
    usual, spread = _usual(earlier)
    if usual < USUAL or abs(last - usual) <= DEVIATIONS * spread or FALL * usual <= last <= RISE * usual:
        return
    window = windows[0][len(totals) - 2]
    word = "fell to" if last < usual else "rose to"
    text = (
        f"requests of {one_line(model.name)} {word} {last:,} from {window.start:%H:%M} to {window.end:%H:%M} UTC, "
        f"usually {usual:,.0f}"
    )
    yield Alert(f"{RULE}volume", "firing", "warning", text, window.start, float(last))


def _usual(earlier: Iterable[int]) -> tuple[float, float]:
    """Return the median and the robust standard deviation, at least that of a count (Rousseeuw & Croux 1993)."""
    values = list(earlier)
    middle = float(median(values))
    return middle, max(1.4826 * median(abs(value - middle) for value in values), middle**0.5)

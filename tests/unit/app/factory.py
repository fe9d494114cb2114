"""Handmade snapshots and a source that hands them out, for the tests of the app."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mlwatch.choice import USUAL, Choice
from mlwatch.metrics.drift import Drift
from mlwatch.metrics.estimate import Estimate, estimate, undefined
from mlwatch.metrics.segments import Losses, contrast, together
from mlwatch.snapshot.distributions import Bars, CalibrationPoint, Scores
from mlwatch.snapshot.health_types import System
from mlwatch.snapshot.rollout_course import Course, MetricCourse, VerdictChange
from mlwatch.snapshot.segments import Segment
from mlwatch.snapshot.shapes import Shape
from mlwatch.snapshot.types import (
    Alert,
    Business,
    ConfusionTable,
    Errors,
    FeatureQuality,
    Feed,
    Ingest,
    LabelDrift,
    Latency,
    Model,
    Quality,
    Revenue,
    Role,
    Rollout,
    RolloutMetric,
    Snapshot,
    TimeRange,
    TrafficStep,
    Version,
    Window,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NOW = datetime(2026, 3, 14, 3, 7, 42, tzinfo=UTC)
START = datetime(2026, 3, 13, 15, 0, tzinfo=UTC)
HOURS = 12


def share(value: float, n: int) -> Estimate:
    """Return a proportion with a normal interval."""
    half = 1.96 * math.sqrt(value * (1 - value) / n)
    return estimate(value, n, (value - half, value + half))


def performance(accuracy: float, n: int) -> dict[str, Estimate]:
    """Return the metrics of a binary classifier around an accuracy."""
    return {
        "accuracy": share(accuracy, n),
        "precision": share(accuracy - 0.05, n // 4),
        "recall": share(accuracy - 0.11, n // 4),
        "f1": estimate(accuracy - 0.08, n // 4, (accuracy - 0.09, accuracy - 0.07)),
        "roc_auc": estimate(accuracy + 0.02, n, (accuracy + 0.015, accuracy + 0.025)),
        "log_loss": estimate(1.15 - accuracy, n),
        "brier": estimate(0.98 - accuracy, n),
        "ece": estimate(0.021, n),
    }


def latency(p50: float, n: int) -> Latency:
    """Return a long-tailed latency."""
    return Latency(n, p50 * 1.3, p50, p50 * 2.2, p50 * 2.9, p50 * 5.1, p50 * 9)


def errors(rate: float, n: int) -> Errors:
    """Return failures of which most are the server's."""
    count = round(rate * n)
    half = 1.96 * math.sqrt(rate * (1 - rate) / n)
    return Errors(count, rate, max(0.0, rate - half), rate + half, count // 4, count - count // 4)


def business(conversion: float, n: int) -> Business:
    """Return what a shop would make of the predictions."""
    money = Revenue(
        gross=n * conversion * 41.0, refunds=n * conversion * 1.2, total=n * conversion * 39.8,
        per_prediction=conversion * 39.8, low=conversion * 38.9, high=conversion * 40.7, currency="EUR",
        per_conversion=estimate(39.8, round(n * conversion), (39.1, 40.5)),
    )  # fmt: skip
    return Business(share(conversion, n), share(conversion * 3.1, n), money)


def feature(
    score: float, missing: int, *, kind: str = "numeric", n: int = 20_000, drifted: bool = False
) -> FeatureQuality:
    """Return a feature that moved by `score` from its reference."""
    drift = Drift(
        n_reference=50_000, n_current=n, psi=score * 1.4, js=score, score=score, drifted=drifted,
        state="drifted" if drifted else "ok",
    )  # fmt: skip
    numeric = kind == "numeric"
    over = tuple(score * (0.2 if hour < 6 and drifted else 1.0) + 0.002 * (hour % 3) for hour in range(HOURS))
    return FeatureQuality(
        kind="numeric" if kind == "numeric" else "categorical", n=n, missing=missing,
        missing_rate=missing / n,
        invalid=12 if drifted else 0, unseen=31 if kind != "numeric" and drifted else 0,
        out_of_range=204 if kind == "numeric" and drifted else 0, drift=drift,
        shape=bell(drifted=drifted) if numeric else carriers(drifted=drifted), drift_over=over,
    )  # fmt: skip


def bell(*, drifted: bool) -> Shape:
    """Return a bell, and one that moved where `drifted`."""
    edges = tuple(float(edge) for edge in range(-16, 17))
    reference = tuple(6_000 * math.exp(-((step - 16) ** 2) / 40) for step in range(32))
    moved = 5 if drifted else 0
    return Shape(
        edges, (), reference, tuple(3_000 * math.exp(-((step - 16 - moved) ** 2) / 40) for step in range(32))
    )


def carriers(*, drifted: bool) -> Shape:
    """Return categories, one of them new where `drifted`."""
    current = (6_000.0, 2_000.0, 900.0, 1_200.0) if drifted else (8_000.0, 3_100.0, 1_000.0, 0.0)
    return Shape((), ("UA", "DL", "AA", "unseen"), (16_000.0, 6_000.0, 2_000.0, 0.0), current)


def quality(*, bad: bool) -> Quality:
    """Return the features of a version, with three of them broken where `bad`."""
    features = {
        "dep_delay": feature(0.312 if bad else 0.011, 12, drifted=bad),
        "carrier": feature(0.187 if bad else 0.014, 0, kind="categorical", drifted=bad),
        "distance": feature(0.024, 0),
        "wind_speed": feature(0.151 if bad else 0.019, 4_310 if bad else 240, drifted=bad),
        "visibility": feature(0.031, 118),
        "origin": feature(0.006, 0, kind="categorical"),
        "hour": feature(0.042, 0),
        "air_time": feature(0.038, 77),
    }
    cells = sum(item.n for item in features.values())
    missing = sum(item.missing for item in features.values())
    whole = Drift(
        50_000,
        20_000,
        psi=0.21 if bad else 0.01,
        js=0.14,
        score=0.14 if bad else 0.008,
        drifted=bad,
        state="drifted" if bad else "ok",
    )
    labels = replace(whole, js=0.012, score=0.01, drifted=False, state="ok")
    moved = LabelDrift(labels, "reference.parquet")
    return Quality(features, whole, whole, (3 / 8) if bad else 0.0, missing / cells, label_drift=moved)


def windows(accuracy: float, p50: float, rate: float, *, bad: bool) -> tuple[Window, ...]:
    """Return an hour each; the fault of the candidate grows from the sixth on."""
    made = []
    for hour in range(HOURS):
        start = START + timedelta(hours=hour)
        fault = max(0, hour - 5) / 6 if bad else 0.0
        wave = math.sin(hour / 2) * 0.004
        made.append(
            Window(
                start=start,
                end=start + timedelta(hours=1),
                predictions=1_650 + 40 * (hour % 5),
                labelled=1_200 - 90 * hour,
                performance=performance(accuracy - 0.05 * fault + wave, 1_200),
                latency=latency(p50 * (1 + 0.5 * fault) + 2 * wave, 1_650),
                errors=errors(rate * (1 + 2 * fault), 1_650),
                business=business(0.062 - 0.01 * fault + wave / 4, 1_650),
                missing_rate=0.004 + 0.02 * fault,
                drift=0.02 + 0.12 * fault,
                labels=share(0.24 + wave, 1_200),
                answers=share(0.22 - 0.09 * fault, 1_200),
                estimated={"accuracy": share(accuracy - 0.01 * fault + wave / 2, 1_650)},
            )
        )
    return tuple(made)


def version(name: str, role: Role, *, n: int = 20_000, bad: bool = False) -> Version:
    """Return one version; a bad one is worse in every family."""
    accuracy = 0.881 if bad else 0.914
    p50 = 61.0 if bad else 42.0
    rate = 0.021 if bad else 0.0042
    right = round(n * 0.6 * accuracy)
    return Version(
        name=name,
        role=role,
        predictions=n,
        labelled=round(n * 0.6),
        first=START,
        last=START + timedelta(hours=HOURS),
        performance=performance(accuracy, round(n * 0.6)),
        confusion=ConfusionTable(("late", "on time"), ((right // 4, 410), (560, right - right // 4))),
        latency=latency(p50, n),
        throughput_per_s=n / (HOURS * 3600),
        errors=errors(rate, n),
        quality=quality(bad=bad),
        business=business(0.051 if bad else 0.062, n),
        windows=windows(accuracy, p50, rate, bad=bad),
        latency_bars=latency_bars(p50, n),
        labels=share(0.24, round(n * 0.6)),
        answers=share(0.13 if bad else 0.22, round(n * 0.6)),
        scores=scores(bad=bad),
        estimated={"accuracy": share(0.905 if bad else 0.912, n)},
        segments=segments(bad=bad),
    )


def segments(*, bad: bool) -> tuple[Segment, ...]:
    """Return delays by length: those of the candidate are worse than the baseline's where they are short."""
    wrong = {"missing": (9, 120), "below 0": (220, 5_000), "0 to 5": (610 if bad else 210, 2_400)}
    rest = Losses(9_000, 800, 800)
    own = {value: Losses(of, n, n) for value, (n, of) in wrong.items()}
    before = {
        "missing": Losses(150, 10, 10),
        "below 0": Losses(9_000, 420, 420),
        "0 to 5": Losses(4_000, 350, 350),
    }
    return tuple(
        Segment(
            "dep_delay",
            value,
            losses.n + 40,
            losses.n,
            {"accuracy": share(1 - losses.mean, losses.n)},
            rest=together([contrast(losses, rest)])[0],
            baseline=together([contrast(losses, before[value])])[0] if bad else None,
        )
        for value, losses in own.items()
    )


def latency_bars(p50: float, n: int) -> Bars:
    """Return a bell of latencies on a logarithmic scale around the median."""
    edges = [1.17**step for step in range(12, 45)]
    middle = math.log(p50, 1.17)
    counts = [round(n / 8 * math.exp(-((step + 0.5 - middle) ** 2) / 20)) for step in range(12, 44)]
    return Bars(tuple(edges), tuple(counts))


def scores(*, bad: bool) -> Scores:
    """Return scores that part the classes, less well where `bad`."""
    shift = 2.0 if bad else 3.5
    edges = tuple(step / 20 for step in range(21))
    positive = tuple(round(400 * math.exp(-((step - 10 - shift) ** 2) / 18)) for step in range(20))
    negative = tuple(round(1_600 * math.exp(-((step - 8 + shift) ** 2) / 14)) for step in range(20))
    roc = [(step / 20, (step / 20) ** (0.3 if bad else 0.12)) for step in range(21)]
    pr = [(step / 20, 1 - (step / 20) ** 3 * (0.7 if bad else 0.5)) for step in range(21)]
    calibration = [
        CalibrationPoint(0.05 + step / 10, min(0.05 + step / 10 + (0.08 if bad else 0.01), 1.0), 900)
        for step in range(10)
    ]
    return Scores(edges, positive, negative, tuple(roc), tuple(pr), tuple(calibration))


def rollout(verdict: str = "rollback") -> Rollout:
    """Return the verdict on v2 against v1."""
    return Rollout(
        model="late_arrival",
        mode="canary",
        baseline="v1",
        candidate="v2",
        verdict=verdict,  # type: ignore[arg-type]
        since=START + timedelta(hours=9),
        reasons=(
            "Accuracy is lower by 3.3 points (95 % −4.1 to −2.5), more than the margin of 1.0 point.",
            "p95 latency is 45 % higher (95 % +38 to +52), more than the margin of 10 %.",
        ),
        metrics={
            "accuracy": RolloutMetric(
                0.914,
                0.881,
                -0.033,
                -0.041,
                -0.025,
                0.01,
                "worse",
                8_100.0,
                limit=-0.01,
                level=0.01,
                reason="accuracy of v2 is 3.3 points below v1's 91.4 % (2.5–4.1), the limit is 1 point",
            ),
            "latency_p95": RolloutMetric(
                121.8, 176.9, 55.1, 46.0, 64.0, 0.1, "worse", 1e6, limit=12.2, unit="ms"
            ),
            "error_rate": RolloutMetric(
                0.0042, 0.021, 0.0168, 0.0140, None, 0.2, "worse", 1e6, limit=0.00084
            ),
            "conversion": RolloutMetric(
                0.062, 0.051, -0.011, -0.024, 0.002, 0.02, "inconclusive", 3.2, 14_200, limit=-0.00124
            ),
            "engagement": RolloutMetric(
                0.192, 0.158, -0.001, -0.003, 0.001, 0.02, "non_inferior", 0.4, limit=-0.00384
            ),
            "revenue": RolloutMetric(None, None, None, None, None, 0.02, "no_data"),
        },
        traffic_expected={"v1": 0.5, "v2": 0.5},
        traffic_observed={"v1": 0.503, "v2": 0.497},
        srm_p=0.41,
        calibrated=False,
        steps=(
            TrafficStep(START + timedelta(hours=9), START + timedelta(hours=10), 0.1, 3_300),
            TrafficStep(START + timedelta(hours=10), START + timedelta(hours=12), 0.5, 3_300),
        ),
        course=course(),
    )


def course() -> Course:
    """Return how it came to the verdict: three hours, a moment each ten minutes."""
    times = tuple(START + timedelta(hours=9, minutes=10 * step) for step in range(18))
    widths = [None, None, *(0.2 / (1 + step) for step in range(16))]
    middle = [-0.002 * step for step in range(18)]
    accuracy = MetricCourse(
        difference=tuple(middle),
        low=tuple(None if w is None else m - w for m, w in zip(middle, widths, strict=True)),
        high=tuple(None if w is None else m + w for m, w in zip(middle, widths, strict=True)),
        limit=(-0.01,) * 18,
        alarm=times[13],
        clear=None,
    )
    changes = (
        VerdictChange(times[0], "hold", "undecided"),
        VerdictChange(times[13], "rollback", "decided", ("accuracy",)),
    )
    return Course(times, {"accuracy": accuracy}, changes)


ALERTS = (
    Alert(
        "accuracy",
        "firing",
        "critical",
        "accuracy of v2 is 88.1 %, below 90 %",
        NOW - timedelta(minutes=41),
        0.881,
    ),
    Alert("drift", "firing", "warning", "3 of 8 features of v2 drifted", NOW - timedelta(hours=3), 0.375),
    Alert("lag", "resolved", "warning", "the feed was 4 min behind", NOW - timedelta(hours=7), 240.0),
)


def model(name: str = "late_arrival", *, versions: tuple[Version, ...] | None = None) -> Model:
    """Return a model with a sound baseline and a bad candidate."""
    known = (
        versions
        if versions is not None
        else (version("v1", "baseline"), version("v2", "candidate", n=19_760, bad=True))
    )
    return Model(name, "binary", "late", "reference.parquet", {v.name: v for v in known})


def snapshot(**changes: object) -> Snapshot:
    """Return the usual snapshot with some fields changed."""
    whole = Snapshot(
        generated_at=NOW,
        range=TimeRange(START, START + timedelta(hours=HOURS)),
        ingest=Ingest(14, 48_300_000, 65_412, 65_388, 39_760, 23_856, 1_772, 17, 7, 12, 3),
        feed=Feed(rows_per_s=1_240.0, lag_s=2.1, bytes_done=48_300_000, bytes_total=48_300_000),
        models={"late_arrival": model()},
        rollouts=(rollout(),),
        system=System(0.31, 0.62, 0.48, 10_200_000_000, 16_400_000_000, 1.27),
        alerts=ALERTS,
        oldest=START,
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def empty() -> Snapshot:
    """Return what there is before the first file."""
    return Snapshot(NOW, None, Ingest(), Feed(), {})


def unlabelled() -> Snapshot:
    """Return one version without labels, reference or events."""
    reason = "there are no labels yet"
    blank = undefined("there are no events yet")
    lone = replace(
        version("v1", "baseline"),
        labelled=0,
        estimated={},
        segments=(),
        performance={key: undefined(reason) for key in ("accuracy", "precision", "recall", "f1")},
        confusion=None,
        scores=None,
        quality=Quality(
            {name: replace(item, drift=None) for name, item in quality(bad=False).features.items()},
            missing_rate=0.003,
        ),
        business=Business(blank, blank, Revenue()),
    )
    alone = Model("late_arrival", "binary", "late", None, {"v1": lone})
    return snapshot(models={"late_arrival": alone}, rollouts=(), alerts=())


class FakeSource:
    """Hand out a snapshot made on demand; remember what was asked."""

    desk = None

    def __init__(
        self, made: Snapshot | Callable[[], Snapshot] | None = None, title: str = "sample_logs"
    ) -> None:
        self.title = title
        self.asked: list[tuple[timedelta | None, datetime | None]] = []
        self.together_asked: list[tuple[timedelta | None, datetime | None, bool]] = []
        self.choice = USUAL
        self.silenced: list[tuple[str, str, timedelta | None]] = []
        self.started = 0
        self.stopped = 0
        self.error: Exception | None = None
        self.gate: threading.Event | None = None
        """When set to an event, answers wait for it."""
        self._made = made if made is not None else snapshot()
        self._generation = 0

    def start(self) -> None:
        self.started += 1

    def stop(self) -> None:
        self.stopped += 1

    @property
    def generation(self) -> int:
        return self._generation

    def renew(self, made: Snapshot) -> None:
        """Have something new to show."""
        self._made = made
        self._generation += 1

    def silence(self, alert: Alert, word: str, length: timedelta | None = None) -> None:
        self.silenced.append((alert.rule, word, length))

    def together(self, span: timedelta | None = None, at: datetime | None = None) -> dict[str, Any]:
        """Both versions of the model, the second drifted; asked off the screen's thread."""
        self.together_asked.append((span, at, threading.current_thread() is threading.main_thread()))
        usual = {"reference": 1.0, "low": 0.95, "high": 1.05, "components": 4, "n_reference": 4000}
        return {
            "late_arrival": {
                "v1": {**usual, "error": 1.01, "drifted": False, "n_current": 7973},
                "v2": {**usual, "error": 1.234, "drifted": True, "n_current": 4027},
            }
        }

    def snapshot(
        self, span: timedelta | None = None, at: datetime | None = None, choice: Choice = USUAL
    ) -> Snapshot:
        self.asked.append((span, at))
        self.choice = choice
        made = self._made() if callable(self._made) else self._made
        if self.gate is not None:
            self.gate.wait(5)
        if self.error is not None:
            raise self.error
        return made


def renamed(models: Mapping[str, Model]) -> Snapshot:
    """Return the usual snapshot with other models."""
    return snapshot(models=models, rollouts=())

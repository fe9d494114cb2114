"""The verdict of a rollout: its states, its sentences, and its numbers against SciPy and scikit-learn."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import stats
from scipy.stats import contingency

from mlwatch.metrics.rollout import (
    align,
    judge_rollout,
    plan_rollout,
    rollout_timeline,
    rollout_verdict,
    tally,
    traffic_steps,
)
from mlwatch.metrics.rollout_types import (
    ArmSeries,
    HardLimit,
    HistogramSeries,
    MeanSeries,
    MetricSeries,
    MetricSpec,
    ProportionSeries,
    RolloutSettings,
    RolloutState,
    default_metric,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

ACCURACY, ERRORS = default_metric("accuracy"), default_metric("error_rate")
SETTINGS = RolloutSettings(metrics=(ACCURACY, ERRORS), baseline="v1", candidate="v2", share=0.5)
EDGES = np.exp(np.arange(0, 401) * np.log(1.02))


def arm(
    seed: int, wrong: float = 0.1, failed: float = 0.005, minutes: int = 300, per_minute: Any = 60
) -> ArmSeries:
    """Return an arm with accuracy and error rate."""
    rng = np.random.default_rng(seed)
    n = rng.poisson(per_minute, minutes)
    return ArmSeries(
        np.arange(minutes, dtype=np.int64),
        n,
        {
            "accuracy": ProportionSeries(n, rng.binomial(n, wrong)),
            "error_rate": ProportionSeries(n, rng.binomial(n, failed)),
        },
    )


def rows(series: ArmSeries, index: NDArray[np.int64] | slice) -> ArmSeries:
    """Return some rows of an arm of proportions and histograms."""

    def cut(metric: Any) -> Any:
        if isinstance(metric, ProportionSeries):
            return ProportionSeries(metric.n[index], metric.bad[index])
        if isinstance(metric, MeanSeries):
            return MeanSeries(metric.n[index], metric.total[index], metric.squares[index])
        return HistogramSeries(metric.edges, metric.counts[index])

    return ArmSeries(series.minute[index], series.n[index], {k: cut(v) for k, v in series.metrics.items()})


def without(series: ArmSeries, name: str) -> ArmSeries:
    """Return an arm without one metric."""
    return replace(series, metrics={k: v for k, v in series.metrics.items() if k != name})


# --- verdicts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wrong", "verdict"), [(0.08, "promote"), (0.4, "rollback")])
def test_nothing_is_decided_where_the_baseline_is_a_guess(wrong: float, verdict: str) -> None:
    arms = arm(1), arm(2, wrong=wrong, failed=0.003)
    limit = HardLimit("accuracy", 0.99)  # broken, and no reason to roll back what may be the baseline
    known = rollout_verdict(*arms, SETTINGS)
    guess = replace(SETTINGS, unknown_roles="it is not known", hard_limits=(limit,))
    found, timeline = rollout_verdict(*arms, guess), rollout_timeline(*arms, guess)
    assert (known.verdict, found.verdict, found.state) == (verdict, "hold", RolloutState.ROLES_UNKNOWN)
    assert found.reasons[0] == "it is not known"
    assert set(known.reasons) <= set(found.reasons)
    assert timeline.decided is None
    assert {timeline.state_at(at) for at in range(timeline.minute.size)} == {RolloutState.ROLES_UNKNOWN}


def test_a_healthy_rollout_is_promoted() -> None:
    verdict = rollout_verdict(arm(1, failed=0.03, minutes=900), arm(2, failed=0.03, minutes=900), SETTINGS)
    assert (verdict.verdict, verdict.state) == ("promote", RolloutState.DECIDED)
    assert {m.status for m in verdict.metrics} <= {"better", "non_inferior"}
    assert all("within the limit" in reason for reason in verdict.reasons)


def test_errors_that_double_are_rolled_back_with_numbers() -> None:
    verdict = rollout_verdict(arm(1), arm(2, failed=0.0095), SETTINGS)
    assert (verdict.verdict, verdict.state) == ("rollback", RolloutState.DECIDED)
    errors = next(m for m in verdict.metrics if m.name == "error_rate")
    assert errors.status == "worse"
    assert errors.e_value >= 1 / errors.level
    assert errors.ratio is not None
    assert verdict.reasons[0].startswith(f"error rate of v2 is {errors.ratio:.1f} times v1's (")
    assert verdict.reasons[0].endswith("the limit is 1.2")


def test_a_fault_in_accuracy_is_found_at_its_size() -> None:
    base, cand = arm(3, minutes=900), arm(4, wrong=0.13, minutes=900)
    verdict = rollout_verdict(base, cand, SETTINGS)
    accuracy = verdict.metrics[0]
    assert verdict.verdict == "rollback"
    assert accuracy.status == "worse"
    assert accuracy.difference is not None
    assert accuracy.low is not None
    assert accuracy.high is not None
    assert accuracy.low < -0.03 < accuracy.high
    n_b, n_c = base.n.sum(), cand.n.sum()
    b, c = base.metrics["accuracy"].bad.sum(), cand.metrics["accuracy"].bad.sum()  # type: ignore[union-attr]
    p_b, p_c = b / n_b, c / n_c
    error = np.sqrt(p_b * (1 - p_b) / n_b + p_c * (1 - p_c) / n_c)
    once = stats.norm(p_b - p_c, error).interval(0.90)
    assert accuracy.difference == pytest.approx(b / n_b - c / n_c, abs=2e-4)
    assert accuracy.low < once[0] < once[1] < accuracy.high  # anytime-valid is wider than one look
    assert accuracy.high - accuracy.low < 3 * (once[1] - once[0])


@pytest.mark.parametrize(
    ("spec", "before", "after", "early"),
    [
        (replace(ACCURACY, margin=0.05), {"wrong": 0.1}, {"wrong": 0.13}, 100),
        (replace(ERRORS, margin=1.0), {"failed": 0.015}, {"failed": 0.024}, 300),
    ],
)
def test_harm_that_the_margin_tolerates_is_not_rolled_back_before_it_is_promoted(
    spec: MetricSpec, before: dict[str, float], after: dict[str, float], early: int
) -> None:
    """It is shown first that there is harm, and later that it is small: three points where five are allowed."""
    settings, seen, shown = replace(SETTINGS, metrics=(spec,)), set[str](), 0
    for seed in range(10):
        base, cand = arm(2 * seed, minutes=1_800, **before), arm(2 * seed + 1, minutes=1_800, **after)
        for minutes in (early, 1_800):
            verdict = rollout_verdict(rows(base, slice(0, minutes)), rows(cand, slice(0, minutes)), settings)
            (metric,) = verdict.metrics
            shown += metric.e_value >= 1 / metric.level
            seen.add(verdict.verdict)
    assert seen == {"hold", "promote"}
    assert shown > 15


def test_too_little_data_holds_and_says_how_much_is_missing() -> None:
    verdict = rollout_verdict(arm(1, minutes=30), arm(2, minutes=30), SETTINGS)
    assert (verdict.verdict, verdict.state) == ("hold", RolloutState.UNDECIDED)
    left = verdict.metrics[0].samples_left
    assert left is not None
    assert 3_000 < left < 60_000  # 21,500 samples rule out one point when both are equal
    assert any("more labelled predictions needed" in reason for reason in verdict.reasons)


def test_the_rate_ratio_is_the_mantel_haenszel_ratio() -> None:
    base, cand = arm(5), arm(6, failed=0.008)
    result = next(m for m in rollout_verdict(base, cand, SETTINGS).metrics if m.name == "error_rate")
    b, c = (side.metrics["error_rate"] for side in (base, cand))
    assert isinstance(b, ProportionSeries)
    assert isinstance(c, ProportionSeries)
    n = b.n + c.n
    assert result.ratio == pytest.approx(np.sum(c.bad * b.n / n) / np.sum(b.bad * c.n / n))
    crude = contingency.relative_risk(int(c.bad.sum()), int(c.n.sum()), int(b.bad.sum()), int(b.n.sum()))
    assert result.ratio == pytest.approx(crude.relative_risk, rel=0.01)
    interval = crude.confidence_interval(0.90)
    assert result.ratio_low is not None
    assert result.ratio_high is not None
    assert result.ratio_low < interval.low < interval.high < result.ratio_high


# --- what must never pass silently ------------------------------------------------------------------------


def test_no_data_is_a_state() -> None:
    empty = rows(arm(1), slice(0, 0))
    verdict = rollout_verdict(empty, empty, SETTINGS)
    assert (verdict.verdict, verdict.state) == ("hold", RolloutState.NO_DATA)
    assert verdict.reasons[0] == "no requests of v1 or v2 yet"


@pytest.mark.parametrize("silent", ["v1", "v2"])
def test_an_arm_that_never_came_is_a_state(silent: str) -> None:
    arms = [rows(arm(1), slice(0, 0)) if name == silent else arm(1) for name in ("v1", "v2")]
    verdict = rollout_verdict(arms[0], arms[1], SETTINGS)
    assert (verdict.verdict, verdict.state) == ("hold", RolloutState.ONE_ARM_SILENT)
    said = {"v1": "v1 has had no requests since v2 came", "v2": "v2 has had no requests yet"}
    assert verdict.reasons[0] == said[silent]


def test_an_arm_that_stopped_is_a_state_even_if_the_past_was_good() -> None:
    base, cand = arm(1, minutes=930), rows(arm(2, minutes=930), slice(0, 900))
    verdict = rollout_verdict(base, cand, SETTINGS)
    assert (verdict.verdict, verdict.state) == ("hold", RolloutState.ONE_ARM_SILENT)
    assert verdict.reasons[0] == "v2 has had no requests for 30 minutes: it stopped, or its clock is behind"
    assert rollout_verdict(base, cand, SETTINGS, now=2_000).state is RolloutState.ONE_ARM_SILENT


def test_a_baseline_that_was_replaced_holds_and_says_how_it_stood() -> None:
    base, cand = rows(arm(1, failed=0.03, minutes=930), slice(0, 900)), arm(2, failed=0.03, minutes=930)
    verdict = rollout_verdict(base, cand, SETTINGS)
    assert (verdict.verdict, verdict.state) == ("hold", RolloutState.ONE_ARM_SILENT)
    quiet = "v1 has had no requests for 30 minutes"
    assert verdict.reasons[0] == (
        f"{quiet}: v2 took over, or the clock of v1 is behind; until then every guardrail was within its limit"
    )
    young = rollout_verdict(rows(base, slice(0, 20)), rows(cand, slice(0, 50)), SETTINGS)
    assert young.reasons[0] == f"{quiet}: it stopped, or its clock is behind"


def test_arms_that_ran_one_after_the_other_are_not_compared() -> None:
    base, cand = arm(1, minutes=300), arm(2, minutes=300)
    late = replace(cand, minute=cand.minute + 295)
    verdict = rollout_verdict(base, late, replace(SETTINGS, silent_after=1e9, share=None))
    assert (verdict.verdict, verdict.state) == ("hold", RolloutState.STARTED_APART)
    assert "fall in minutes that v1 also served" in verdict.reasons[0]


def test_a_sample_ratio_mismatch_blocks_both_verdicts() -> None:
    for failed in (0.005, 0.02):
        base, cand = arm(1, minutes=900, per_minute=53), arm(2, failed=failed, minutes=900, per_minute=47)
        verdict = rollout_verdict(base, cand, SETTINGS)
        assert (verdict.verdict, verdict.state) == ("hold", RolloutState.SAMPLE_RATIO_MISMATCH)
        assert verdict.traffic.srm_p is not None
        assert verdict.traffic.srm_p < 0.001
        assert "instead of 50 %" in verdict.reasons[0]


def test_the_split_is_not_judged_where_none_is_configured() -> None:
    verdict = rollout_verdict(arm(1, per_minute=80), arm(2, per_minute=20), replace(SETTINGS, share=None))
    assert verdict.traffic.expected is None
    assert verdict.traffic.srm_p is None
    assert verdict.state is not RolloutState.SAMPLE_RATIO_MISMATCH


@pytest.mark.parametrize("missing", [(True, True), (False, True), (True, False)])
def test_missing_labels_never_promote(missing: tuple[bool, bool]) -> None:
    arms = [arm(seed, minutes=900) for seed in (1, 2)]
    arms = [without(each, "accuracy") if gone else each for each, gone in zip(arms, missing, strict=True)]
    verdict = rollout_verdict(arms[0], arms[1], SETTINGS)
    assert (verdict.verdict, verdict.state) == ("hold", RolloutState.STALE_LABELS)
    assert any(
        reason.startswith("accuracy: n/a, because the rollout has no labels of ")
        for reason in verdict.reasons
    )


def test_labels_that_stopped_never_promote_but_errors_still_roll_back() -> None:
    def stale(series: ArmSeries) -> ArmSeries:
        accuracy = series.metrics["accuracy"]
        assert isinstance(accuracy, ProportionSeries)
        alive = np.arange(900) < 750
        return replace(
            series,
            metrics={
                **series.metrics,
                "accuracy": ProportionSeries(accuracy.n * alive, accuracy.bad * alive),
            },
        )

    verdict = rollout_verdict(stale(arm(1, minutes=900)), stale(arm(2, minutes=900)), SETTINGS)
    assert (verdict.verdict, verdict.state) == ("hold", RolloutState.STALE_LABELS)
    assert "accuracy: the newest label is 2.5 hours behind the traffic of v1 and v2, " in verdict.reasons[0]
    one = rollout_verdict(arm(1, minutes=900), stale(arm(2, minutes=900)), SETTINGS)
    assert "accuracy: the newest label is 2.5 hours behind the traffic of v2, " in one.reasons[0]
    bad = rollout_verdict(stale(arm(1, minutes=900)), stale(arm(2, failed=0.02, minutes=900)), SETTINGS)
    assert bad.verdict == "rollback"
    # what rolls back stands first: an alert has room for one sentence
    worse = [result.reason for result in bad.metrics if result.status == "worse"]
    assert worse
    assert set(bad.reasons[: len(worse)]) == set(worse)


def test_a_guardrail_without_data_never_promotes() -> None:
    settings = replace(SETTINGS, metrics=(*SETTINGS.metrics, default_metric("conversion")))
    verdict = rollout_verdict(arm(1, minutes=900), arm(2, minutes=900), settings)
    assert (verdict.verdict, verdict.state) == ("hold", RolloutState.MISSING_METRIC)
    assert "conversion: n/a, because the rollout has no data of v1 and v2 yet" in verdict.reasons


def test_the_minimum_time_holds_a_promotion() -> None:
    fast = [arm(seed, minutes=20, per_minute=3_000) for seed in (1, 2)]
    verdict = rollout_verdict(fast[0], fast[1], replace(SETTINGS, min_time=3_600))
    assert (verdict.verdict, verdict.state) == ("hold", RolloutState.MINIMUM_TIME)
    assert "for only 20 minutes of at least 60 minutes" in verdict.reasons[0]
    assert rollout_verdict(fast[0], fast[1], replace(SETTINGS, min_time=1_200)).verdict == "promote"


def test_without_guardrails_nothing_is_promoted() -> None:
    spec = replace(ERRORS, guardrail=False)
    verdict = rollout_verdict(arm(1, minutes=900), arm(2, minutes=900), replace(SETTINGS, metrics=(spec,)))
    assert verdict.verdict == "hold"
    assert "no guardrail is configured" in verdict.reasons[0]


def test_no_errors_in_either_arm_can_be_promoted() -> None:
    """A ratio of two zero rates is unknown for ever: a candidate shown below the negligible rate passes."""
    settings = replace(SETTINGS, metrics=(ERRORS,))
    few = rollout_verdict(arm(1, failed=0, minutes=30), arm(2, failed=0, minutes=30), settings)
    many = rollout_verdict(arm(1, failed=0, minutes=900), arm(2, failed=0, minutes=900), settings)
    assert (few.verdict, many.verdict) == ("hold", "promote")


# --- hard limits ------------------------------------------------------------------------------------------


def _faulty(seed: int, faults: float, minutes: int = 200) -> ArmSeries:
    """Return an arm that is right but for a share of faults."""
    n = np.full(minutes, 50)
    wrong = np.random.default_rng(seed).binomial(n, faults)
    return ArmSeries(np.arange(minutes), n, {"accuracy": ProportionSeries(n, wrong)})


def test_versions_that_are_always_right_are_within_the_limit() -> None:
    settings = replace(SETTINGS, metrics=(ACCURACY,))
    verdict = rollout_verdict(_faulty(1, 0), _faulty(2, 0), settings)
    result = verdict.metrics[0]
    assert (verdict.verdict, result.status) == ("promote", "non_inferior")
    assert result.low is not None
    assert result.high == pytest.approx(-result.low)
    assert -0.002 < result.low < 0
    assert result.reason.endswith("the limit is 1 point: within the limit")
    few = rollout_verdict(_faulty(1, 0, minutes=8), _faulty(2, 0, minutes=8), settings).metrics[0]
    assert few.status == "inconclusive"
    assert few.samples_left is not None
    assert 100 < few.samples_left < 5_000


def test_few_faults_bound_the_harm_whatever_their_ratio_is() -> None:
    """Of 10,000 each, 2 and 9 faults: a ratio that may be beyond 10, and a harm of 0.07 points."""
    settings = replace(SETTINGS, metrics=(ACCURACY, default_metric("conversion")))

    def sparse(faults: int) -> ArmSeries:
        n = np.full(200, 50)
        bad = np.zeros(200, dtype=np.int64)
        bad[:: 200 // faults][:faults] = 1
        series = ProportionSeries(n, bad)
        return ArmSeries(np.arange(200), n, {"accuracy": series, "conversion": series})

    for result in rollout_verdict(sparse(2), sparse(9), settings).metrics:
        assert (result.status, result.method) == ("non_inferior", "ratio")
        assert result.low is not None
        assert -0.004 < result.low < -0.0007
        assert result.ratio_low is not None
        assert 1 - 0.004 < result.ratio_low < 1 - 0.0007


def test_as_many_faults_as_the_margin_are_seldom_within_it() -> None:
    """The harm is the margin: that it is less may be shown to one in twenty, however often they look."""
    settings = replace(SETTINGS, metrics=(ACCURACY,), min_time=0)
    watched = (
        rollout_timeline(_faulty(0, 0, minutes=80), _faulty(seed, 0.01, minutes=80), settings, every=4)
        for seed in range(1, 61)
    )
    assert sum(each.metrics["accuracy"].clear is not None for each in watched) <= 3


def test_a_hard_limit_rolls_back_only_after_its_time() -> None:
    limit = HardLimit("error_rate", 0.2, for_seconds=600)
    settings = replace(SETTINGS, metrics=(ERRORS,), hard_limits=(limit,))

    def broken(minutes: int) -> ArmSeries:
        good, bad = arm(2, minutes=60 - minutes), arm(3, failed=0.5, minutes=minutes)
        n = np.concatenate([good.n, bad.n])
        failed = [each.metrics["error_rate"].bad for each in (good, bad)]  # type: ignore[union-attr]
        return ArmSeries(np.arange(60), n, {"error_rate": ProportionSeries(n, np.concatenate(failed))})

    # the statistics would see this too: judge the limit alone
    alone = replace(settings, metrics=(replace(ERRORS, guardrail=False),))
    base = arm(1, minutes=60)
    assert rollout_verdict(base, broken(9), alone).verdict == "hold"
    verdict = rollout_verdict(base, broken(10), alone)
    assert (verdict.verdict, verdict.state) == ("rollback", RolloutState.HARD_LIMIT)
    assert "above the hard limit of 20 % for at least 10 minutes" in verdict.reasons[0]
    timeline = rollout_timeline(base, broken(12), alone)
    assert timeline.decided == 57  # broken from minute 48: ten minutes are over at the end of minute 57


# --- strata -----------------------------------------------------------------------------------------------


def _ramp(seed: int, simpson: bool) -> tuple[ArmSeries, ArmSeries]:
    rng = np.random.default_rng(seed)
    share, wrong = np.repeat([0.05, 0.1, 0.25, 0.5], 150), np.linspace(0.05, 0.15, 600)
    arms = []
    for part in (1 - share, share):
        n = rng.poisson(100 * part)
        bad = rng.binomial(n, wrong if simpson else 0.1)
        arms.append(ArmSeries(np.arange(600), n, {"accuracy": ProportionSeries(n, bad)}))
    return arms[0], arms[1]


def test_a_ramp_with_drift_is_not_rolled_back_and_simpson_is_said() -> None:
    base, cand = _ramp(7, simpson=True)
    ramp = ((0, 0.05), (150, 0.1), (300, 0.25), (450, 0.5))
    verdict = rollout_verdict(base, cand, replace(SETTINGS, metrics=(ACCURACY,), share=ramp))
    accuracy = verdict.metrics[0]
    assert verdict.verdict != "rollback"
    assert accuracy.pooled is not None
    assert accuracy.pooled < -0.015  # pooled, the candidate looks 2 points worse
    assert accuracy.difference == pytest.approx(0, abs=0.01)
    assert any("the mix of traffic changed" in note for note in accuracy.notes)
    assert accuracy.notes[0] in verdict.reasons
    assert (
        not rollout_verdict(*_ramp(7, simpson=False), replace(SETTINGS, metrics=(ACCURACY,))).metrics[0].notes
    )


@pytest.mark.parametrize(("early", "late"), [(0.3, 0.03), (0.03, 0.3)])
@pytest.mark.parametrize("worse", [0.006, 0.015])
def test_a_difference_in_a_ramp_is_that_of_the_same_minutes(early: float, late: float, worse: float) -> None:
    """Of 5 and then of 50 %, by the ratio of rates: the baseline's plain rate is that of its many early requests."""
    rng = np.random.default_rng(11)
    share, wrong = np.repeat([0.05, 0.5], 360), np.repeat([early, late], 360)
    n = [rng.poisson(600 * part) for part in (1 - share, share)]
    bad = [rng.binomial(n[0], wrong), rng.binomial(n[1], wrong + worse)]
    base, cand = (
        ArmSeries(np.arange(720), n[at], {"accuracy": ProportionSeries(n[at], bad[at])}) for at in (0, 1)
    )
    metric = replace(ACCURACY, method="ratio")
    result = rollout_verdict(base, cand, replace(SETTINGS, metrics=(metric,))).metrics[0]
    weight = n[0] * n[1] / (n[0] + n[1])
    difference = -np.average(bad[1] / n[1] - bad[0] / n[0], weights=weight)  # Mantel, Haenszel 1959
    assert result.method == "ratio"
    assert result.difference == pytest.approx(difference, rel=1e-9)
    assert result.low is not None
    assert result.high is not None
    assert result.low < -worse < result.high
    assert result.baseline == pytest.approx(1 - bad[0].sum() / n[0].sum())


def test_a_ramp_that_is_not_as_configured_is_a_mismatch() -> None:
    base, cand = _ramp(7, simpson=False)
    wrong = ((0, 0.05), (150, 0.1), (300, 0.25), (450, 0.4))
    verdict = rollout_verdict(base, cand, replace(SETTINGS, metrics=(ACCURACY,), share=wrong))
    assert verdict.state is RolloutState.SAMPLE_RATIO_MISMATCH


def test_traffic_steps_finds_the_steps_of_a_ramp() -> None:
    base, cand = _ramp(7, simpson=False)
    steps = traffic_steps(base.minute, base.n, cand.n)
    assert [step.share for step in steps] == pytest.approx([0.05, 0.1, 0.25, 0.5], abs=0.01)
    assert [step.start for step in steps] == pytest.approx([0, 150, 300, 450], abs=5)
    assert sum(step.n for step in steps) == base.n.sum() + cand.n.sum()


def test_traffic_steps_finds_no_step_in_noise() -> None:
    assert len(traffic_steps(np.arange(2_000), arm(1, minutes=2_000).n, arm(2, minutes=2_000).n)) == 1
    assert traffic_steps([], [], []) == ()


def test_sparse_traffic_is_compared_in_wider_strata() -> None:
    """With half a request a minute hardly any minute has both arms."""
    base, cand = arm(1, minutes=10_000, per_minute=0.5), arm(2, minutes=10_000, per_minute=0.5)
    verdict = rollout_verdict(base, cand, SETTINGS)
    assert verdict.state is not RolloutState.STARTED_APART
    accuracy = verdict.metrics[0]
    assert accuracy.n_baseline + accuracy.n_candidate > 0.95 * (base.n.sum() + cand.n.sum())


def test_wider_strata_do_not_stretch_the_time_that_has_passed() -> None:
    """Few requests since 10:50 are not an hour of traffic, though the hour is one stratum."""
    base, cand = (replace(arm(seed, minutes=5, per_minute=1), minute=np.arange(650, 655)) for seed in (1, 2))
    assert rollout_verdict(base, cand, SETTINGS).elapsed == 300


def test_wider_strata_respect_the_steps_of_a_ramp() -> None:
    rng = np.random.default_rng(8)
    share = np.repeat([0.1, 0.5], [90, 210])  # the step falls into the middle of an hour
    arms = [
        ArmSeries(np.arange(300), n, {"accuracy": ProportionSeries(n, rng.binomial(n, 0.1))})
        for n in (rng.poisson(40 * (1 - share)), rng.poisson(40 * share))
    ]
    settings = replace(SETTINGS, metrics=(ACCURACY,), share=((0, 0.1), (90, 0.5)), stratum_minutes=60)
    verdict = rollout_verdict(arms[0], arms[1], settings)
    assert verdict.traffic.expected == pytest.approx(verdict.traffic.observed, abs=0.02)
    assert verdict.traffic.srm_p == 1


# --- order, batches, increments ---------------------------------------------------------------------------


def _same(left: Any, right: Any) -> None:
    assert (left.verdict, left.state) == (right.verdict, right.state)
    for mine, theirs in zip(left.metrics, right.metrics, strict=True):
        assert mine.status == theirs.status
        assert mine.log_e == pytest.approx(theirs.log_e, abs=1e-7)
        for field in ("difference", "low", "high", "ratio", "ratio_low", "ratio_high", "pooled"):
            assert getattr(mine, field) == pytest.approx(getattr(theirs, field), abs=1e-9, nan_ok=True)


def _full(seed: int, minutes: int = 200) -> ArmSeries:
    rng = np.random.default_rng(seed)
    series = arm(seed, minutes=minutes)
    n = series.n
    counts = rng.multinomial(50, np.full(400, 1 / 400), minutes)
    mean = MeanSeries(n, rng.normal(3.0 * n, np.sqrt(n)), (10.0 * n).astype(np.float64))
    more: dict[str, MetricSeries] = {
        "revenue": mean,
        "latency_p95": HistogramSeries(EDGES, counts),
        "latency_p99": HistogramSeries(EDGES, counts),
    }
    return replace(series, metrics={**series.metrics, **more})


FULL = replace(
    SETTINGS,
    share=None,
    metrics=(
        ACCURACY, ERRORS, default_metric("revenue"),
        default_metric("latency_p95", threshold=1_500.0), default_metric("latency_p99"),
    ),
)  # fmt: skip


def test_totals_can_be_corrected_by_taking_a_minute_back() -> None:
    base, cand = _full(1), _full(2)
    strata = align(base, cand, FULL)
    plan = plan_rollout(strata, FULL)
    whole = tally(strata, plan)
    late = tally(strata.rows(100, 101), plan)
    before = whole - late
    _same(judge_rollout(before + late, plan), judge_rollout(whole, plan))
    left = np.delete(np.arange(200), 100)
    reference = align(rows(base, left), rows(cand, left), FULL)
    _same(judge_rollout(before, plan), judge_rollout(tally(reference, plan), plan))


def test_totals_add_up_over_any_cut() -> None:
    strata = align(_full(1), _full(2), FULL)
    plan = plan_rollout(strata, FULL)
    parts = [tally(strata.rows(start, start + 50), plan) for start in (0, 50, 100, 150)]
    _same(
        judge_rollout(parts[2] + parts[0] + parts[3] + parts[1], plan),
        judge_rollout(tally(strata, plan), plan),
    )


def test_the_timeline_is_the_verdict_at_each_minute() -> None:
    base, cand = _full(1, 700), _full(2, 700)
    timeline = rollout_timeline(base, cand, FULL)
    assert timeline.minute.tolist() == list(range(700))
    for minute in (20, 150, 511, 512, 699):
        verdict = rollout_verdict(rows(base, slice(minute + 1)), rows(cand, slice(minute + 1)), FULL)
        assert timeline.verdict_at(minute) == verdict.verdict
        assert timeline.state_at(minute) is verdict.state
        for result in verdict.metrics:
            metric = timeline.metrics[result.name]
            assert metric.status_at(minute) == result.status
            assert metric.log_e[minute] == pytest.approx(result.log_e, abs=1e-7)
            if result.low is not None:
                assert metric.low[minute] == pytest.approx(result.low, abs=1e-9)


def test_the_timeline_says_when_each_metric_alarmed() -> None:
    base = arm(1, minutes=600)
    good, bad = arm(2, minutes=300), arm(3, failed=0.02, minutes=300)
    n = np.concatenate([good.n, bad.n])
    merged = {
        name: ProportionSeries(n, np.concatenate([good.metrics[name].bad, bad.metrics[name].bad]))  # type: ignore[union-attr]
        for name in good.metrics
    }
    timeline = rollout_timeline(base, ArmSeries(np.arange(600), n, merged), SETTINGS)
    alarm = timeline.metrics["error_rate"].alarm
    assert alarm is not None
    assert 300 < alarm < 420
    assert timeline.decided == alarm
    thinned = rollout_timeline(base, ArmSeries(np.arange(600), n, merged), SETTINGS, every=50)
    assert thinned.minute.tolist() == list(range(49, 600, 50))


# --- means and quantiles ----------------------------------------------------------------------------------


def _values(seed: int, factor: float, minutes: int = 200, per_minute: int = 60) -> ArmSeries:
    rng = np.random.default_rng(seed)
    x = factor * rng.lognormal(4, 0.5, (minutes, per_minute))
    counts = np.stack([np.histogram(row, EDGES)[0] for row in x]).astype(np.int32)
    n = np.full(minutes, per_minute)
    mean = MeanSeries(n, x.sum(axis=1), (x * x).sum(axis=1))
    histogram = HistogramSeries(EDGES, counts)
    return ArmSeries(
        np.arange(minutes), n, {"latency_mean": mean, "latency_p99": histogram, "latency_p50": histogram}
    )


@pytest.mark.parametrize("threshold", [None, "reference"])
def test_slower_quantiles_are_found_with_and_without_a_reference(threshold: str | None) -> None:
    exact = {p: float(np.exp(4 + 0.5 * stats.norm.ppf(p))) for p in (0.5, 0.99)}
    specs = tuple(
        default_metric(name, threshold=exact[p] if threshold else None)
        for name, p in (("latency_p99", 0.99), ("latency_p50", 0.5))
    )
    settings = replace(SETTINGS, metrics=specs)
    slow = rollout_verdict(_values(1, 1.0), _values(2, 1.25), settings)
    assert slow.verdict == "rollback"
    for result, p in zip(slow.metrics, (0.99, 0.5), strict=True):
        assert result.baseline == pytest.approx(exact[p], rel=0.06)
        assert result.ratio_low is not None
        assert result.ratio_high is not None
        assert result.ratio_low < 1.25 < result.ratio_high
    same = rollout_verdict(_values(1, 1.0, per_minute=250), _values(2, 1.0, per_minute=250), settings)
    assert {result.status for result in same.metrics} == {"non_inferior"}


def _with_tail(seed: int, body: float = 1.0, tail: float = 150.0, later: float = 1.0) -> ArmSeries:
    """Return 6 hours of latencies around 60 ms with a tail of 3 %, all of them slower by a factor later on."""
    rng = np.random.default_rng(seed)
    shape = (360, 17)
    slow = rng.random(shape) < 0.03
    middle = np.where(slow, tail * rng.lognormal(0, 0.2, shape), 60 * body * rng.lognormal(0, 0.3, shape))
    middle[120:] *= later
    counts = np.stack([np.histogram(row, EDGES)[0] for row in middle]).astype(np.int32)
    return ArmSeries(np.arange(360), np.full(360, 17), {"latency_p99": HistogramSeries(EDGES, counts)})


def _against_past(past: float) -> RolloutSettings:
    """Return settings with the p99 of the baseline before the candidate came."""
    return replace(SETTINGS, metrics=(default_metric("latency_p99", threshold=past),))


def test_a_slow_tail_is_found_though_all_latency_has_moved_since_the_past() -> None:
    verdict = rollout_verdict(_with_tail(1), _with_tail(2, tail=450), _against_past(50.7))
    result = verdict.metrics[0]
    assert (verdict.verdict, result.status, result.method) == ("rollback", "worse", "two_sample")
    assert result.ratio == pytest.approx(3.0, rel=0.1)
    assert result.ratio_low is not None
    assert 1.1 < result.ratio_low < 3.0


def test_a_slower_middle_is_no_slower_tail_though_all_latency_has_moved_since_the_past() -> None:
    result = rollout_verdict(_with_tail(1), _with_tail(2, body=1.08), _against_past(50.7)).metrics[0]
    assert result.status == "inconclusive"
    assert result.ratio is not None
    assert result.ratio_low is not None
    assert result.ratio_high is not None
    assert 0.8 < result.ratio_low < result.ratio < result.ratio_high < 1.2


def test_a_past_quantile_that_still_holds_is_kept() -> None:
    result = rollout_verdict(_with_tail(1), _with_tail(2, tail=450), _against_past(163.0)).metrics[0]
    assert (result.method, result.status) == ("exceedance", "worse")


def test_latency_that_moves_while_one_watches_decides_nothing() -> None:
    """With 7 requests in 10 above it, the past p99 is no tail any more: the middle must not promote."""
    base, cand = _with_tail(1, later=3.0), _with_tail(2, tail=450, later=3.0)
    result = rollout_verdict(base, cand, _against_past(163.0)).metrics[0]
    assert (result.status, result.method) == ("inconclusive", "exceedance")
    assert (result.ratio_low, result.ratio_high, result.samples_left) == (0.0, None, None)
    assert result.reason.endswith(
        "(no interval yet), the limit is 1.1: not decided, because requests above the earlier p99 latency, by which "
        "both are compared, no longer tell of it; a later start in [rollout] begins anew"
    )
    timeline = rollout_timeline(base, cand, _against_past(163.0), every=20)
    assert timeline.metrics["latency_p99"].status_at(5) == "worse"  # before it moved


def test_equals_are_not_rolled_back_by_a_past_quantile_however_far_it_is() -> None:
    for past in (50.7, 110.0, 190.0, 300.0):
        alarms = 0
        for seed in range(0, 20, 2):
            timeline = rollout_timeline(_with_tail(seed), _with_tail(seed + 1), _against_past(past), every=20)
            alarms += timeline.metrics["latency_p99"].alarm is not None
        assert alarms <= 1  # of 10, at a level of 0.05


def test_an_interval_that_does_not_hold_its_estimate_decides_nothing() -> None:
    """At p97, where the tail begins, the versions are the same, and at p99 they are not."""
    rng = np.random.default_rng(5)

    def sample(tail: float) -> ArmSeries:
        shape = (400, 100)
        u = rng.random(shape)
        x = np.where(u < 0.985, 60 * rng.lognormal(0, 0.3, shape), tail * rng.lognormal(0, 0.1, shape))
        counts = np.stack([np.histogram(row, EDGES)[0] for row in x]).astype(np.int32)
        return ArmSeries(np.arange(400), np.full(400, 100), {"latency_p99": HistogramSeries(EDGES, counts)})

    result = rollout_verdict(sample(300), sample(390), _against_past(120.0)).metrics[0]
    assert result.method == "exceedance"
    assert result.ratio == pytest.approx(1.3, rel=0.05)
    assert result.status != "non_inferior"


def test_a_faster_candidate_is_better() -> None:
    settings = replace(SETTINGS, metrics=(default_metric("latency_mean"), default_metric("latency_p50")))
    verdict = rollout_verdict(_values(1, 1.0), _values(2, 0.8), settings)
    assert verdict.verdict == "promote"
    assert [result.status for result in verdict.metrics] == ["better", "better"]


def test_the_mean_ratio_agrees_with_the_delta_method() -> None:
    base, cand = _values(1, 1.0), _values(2, 1.05)
    result = rollout_verdict(
        base, cand, replace(SETTINGS, metrics=(default_metric("latency_mean"),))
    ).metrics[0]
    x, y = ((m.total, m.squares) for m in (base.metrics["latency_mean"], cand.metrics["latency_mean"]))  # type: ignore[union-attr]
    ratio = y[0].sum() / x[0].sum()
    assert result.ratio == pytest.approx(ratio, rel=1e-9)
    assert result.difference == pytest.approx((y[0].sum() - x[0].sum()) / 12_000, rel=1e-9)
    assert result.ratio_low is not None
    assert result.ratio_high is not None
    # half-width 2.7–3.6 standard errors of the delta method: an anytime-valid limit near its optimum
    relative = [s[1].sum() / s[0].sum() ** 2 - 1 / 12_000 for s in (x, y)]
    error = ratio * np.sqrt(sum(relative))
    assert 2.5 < (result.ratio_high - ratio) / error < 4
    assert 2.5 < (ratio - result.ratio_low) / error < 4


def _sales(total: float, squares: float) -> ArmSeries:
    n = np.full(100, 50)
    each = np.ones(100)
    return ArmSeries(np.arange(100), n, {"revenue": MeanSeries(n, 50 * total * each, 50 * squares * each)})


def test_a_mean_without_a_ratio_has_its_limit_as_an_amount() -> None:
    """Net revenue may be negative: 2 % of it are an amount, as the table has it."""
    settings = replace(SETTINGS, metrics=(default_metric("revenue"),))
    result = rollout_verdict(_sales(-0.2, 25), _sales(-0.15, 25), settings).metrics[0]
    assert result.ratio is None
    assert result.limit == pytest.approx(-0.004)
    assert result.reason.startswith("revenue of v2 is 0.0")
    assert " above v1's −0.2 (" in result.reason
    assert "), the limit is 0.004: not decided" in result.reason
    nothing = rollout_verdict(_sales(0, 25), _sales(0, 25), settings).metrics[0]
    assert nothing.reason.startswith("revenue of v2 is 0.00 above v1's 0 (")
    assert "), the limit is 0: not decided" in nothing.reason


def test_two_metrics_that_point_apart_are_said() -> None:
    base = _values(1, 1.0)
    fast = _values(2, 0.7)
    n = base.n.astype(np.int64)
    failing = [
        ProportionSeries(n, np.random.default_rng(s).binomial(n, p)) for s, p in ((1, 0.01), (2, 0.04))
    ]
    arms = [
        replace(side, metrics={**side.metrics, "error_rate": series})
        for side, series in zip((base, fast), failing, strict=True)
    ]
    settings = replace(SETTINGS, metrics=(default_metric("latency_mean"), ERRORS))
    verdict = rollout_verdict(arms[0], arms[1], settings)
    assert verdict.verdict == "rollback"
    assert (
        "mean latency better but error rate worse: they point apart and are not averaged" in verdict.reasons
    )


# --- settings ---------------------------------------------------------------------------------------------


def test_inflation_makes_the_verdict_slower_and_calibrated() -> None:
    base, cand = arm(1), arm(2, failed=0.0095)
    inflated = replace(SETTINGS, inflation={"accuracy": 1.0, "error_rate": 4.0})
    plain, noisy = rollout_verdict(base, cand, SETTINGS), rollout_verdict(base, cand, inflated)
    assert (plain.calibrated, noisy.calibrated) == (False, True)
    assert noisy.metrics[1].log_e < plain.metrics[1].log_e / 2
    assert noisy.verdict == "hold"


def test_the_error_budget_is_split_by_weight() -> None:
    heavy = replace(ERRORS, weight=3.0)
    settings = replace(SETTINGS, metrics=(ACCURACY, heavy, replace(ACCURACY, name="other", guardrail=False)))
    assert settings.level(heavy) == pytest.approx(0.0375)
    assert settings.level(ACCURACY) == pytest.approx(0.0125)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: default_metric("accuracy", margin=-0.01),
            "the margin of accuracy is -0.01: it must be zero or more",
        ),
        (lambda: default_metric("accuracy", weight=0.0), "the weight of accuracy is 0: it must be positive"),
        (lambda: MetricSpec("p", "quantile", "p", 0.1, "relative"), "p needs a quantile between 0 and 1"),
        (lambda: replace(SETTINGS, alpha=0.0), "alpha is 0: it must be between 0 and 0.5"),
        (lambda: replace(SETTINGS, share=1.0), "the candidate's share must be between 0 and 1"),
    ],
)
def test_settings_that_mean_nothing_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        make()


def test_columns_that_do_not_fit_are_refused() -> None:
    good = arm(1)
    with pytest.raises(ValueError, match="exposures of v2 has 299 rows instead of 300"):
        rollout_verdict(good, replace(good, n=good.n[:-1]), SETTINGS)
    with pytest.raises(ValueError, match="exposures of v1 has a negative count"):
        rollout_verdict(replace(good, n=-good.n), good, SETTINGS)
    mean = MeanSeries(good.n, good.n.astype(float), good.n.astype(float))
    with pytest.raises(ValueError, match="accuracy is a proportion, but its data are a MeanSeries"):
        rollout_verdict(replace(good, metrics={"accuracy": mean}), good, SETTINGS)
    backwards = {"accuracy": ProportionSeries(good.n, good.n + 1)}
    with pytest.raises(ValueError, match="accuracy has more bad events than units in a minute"):
        rollout_verdict(good, replace(good, metrics=backwards), SETTINGS)
    with pytest.raises(ValueError, match="revenue total of v2 has a value that is not a finite number"):
        rollout_verdict(
            good, replace(good, metrics={"revenue": replace(mean, total=mean.total * np.nan)}), FULL
        )
    with pytest.raises(ValueError, match="the hard limit on speed has no such metric"):
        rollout_verdict(good, good, replace(SETTINGS, hard_limits=(HardLimit("speed", 1.0),)))


def test_more_requests_without_a_failure_would_decide() -> None:
    """No failure in either arm: so many more requests show that the rate is below what always passes."""
    n = np.full(20, 50)
    arm = ArmSeries(np.arange(20), n, {"error_rate": ProportionSeries(n, np.zeros(20, dtype=np.int64))})
    settings = RolloutSettings((default_metric("error_rate"),))
    (result,) = rollout_verdict(arm, arm, settings).metrics
    assert result.status == "inconclusive"
    assert result.samples_left is not None
    grown = np.full(20, math.ceil(50 * (1 + result.samples_left / 2_000)))
    later = ArmSeries(np.arange(20), grown, {"error_rate": ProportionSeries(grown, 0 * grown)})
    (result,) = rollout_verdict(later, later, settings).metrics
    assert result.status == "non_inferior"

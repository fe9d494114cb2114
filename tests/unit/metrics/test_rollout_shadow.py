"""Shadow pairs against scikit-learn and SciPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from mlwatch.metrics.rollout_pairs import (
    PairCounts,
    PairMoments,
    cohens_kappa,
    disagreement_log_e,
    judge_pairs,
    mcnemar_p,
    pair_limits,
)
from mlwatch.metrics.rollout_shadow import shadow_verdict
from mlwatch.metrics.rollout_shadow_timeline import with_pairs
from mlwatch.metrics.rollout_timeline import RolloutTimeline
from mlwatch.metrics.rollout_types import RolloutSettings, RolloutState, default_metric
from mlwatch.metrics.rollout_words import number
from mlwatch.metrics.sequential import bernoulli_most

ACCURACY = default_metric("accuracy")
SETTINGS = RolloutSettings(metrics=(ACCURACY,), baseline="v1", candidate="v2", mode="shadow")


def pairs(lost: int, won: int, right: int = 9_000, wrong: int = 500) -> PairCounts:
    """Return labelled pairs."""
    n = lost + won + right + wrong
    return PairCounts(n, lost + won, right, lost, won, wrong)


def test_kappa_equals_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    old = rng.integers(0, 3, 2_000)
    new = np.where(rng.random(2_000) < 0.8, old, rng.integers(0, 3, 2_000))
    table = np.zeros((3, 3), dtype=np.int64)
    np.add.at(table, (old, new), 1)
    assert cohens_kappa(table) == pytest.approx(cohen_kappa_score(old, new))
    assert cohens_kappa(np.zeros((2, 2))) is None
    assert cohens_kappa([[5, 0], [0, 0]]) is None


def test_mcnemar_equals_scipy() -> None:
    assert mcnemar_p(12, 5) == pytest.approx(stats.binomtest(5, 17, 0.5).pvalue)
    assert mcnemar_p(90, 60) == pytest.approx(stats.chi2.sf(29**2 / 150, 1))
    assert mcnemar_p(7, 7) == 1
    assert mcnemar_p(0, 0) is None


def test_paired_difference_and_its_interval() -> None:
    result = judge_pairs(pairs(lost=350, won=150))
    assert result.accuracy_difference == pytest.approx(-0.02)
    error = np.sqrt((500 - 200**2 / 10_000) / 10_000**2)
    assert result.low is not None
    assert result.high is not None
    assert 2.5 < (result.high + 0.02) / error < 3.6
    assert result.high + 0.02 == pytest.approx(-0.02 - result.low)
    assert result.disagreement_rate == pytest.approx(0.05)
    assert result.disagreement_low is not None
    assert result.disagreement_high is not None
    assert result.disagreement_low < 0.05 < result.disagreement_high


def test_few_discordant_pairs_are_bounded_by_what_each_version_may_lose() -> None:
    result = judge_pairs(pairs(2, 1, right=50, wrong=5))
    assert result.low == -bernoulli_most(2, 58)
    assert result.high == bernoulli_most(1, 58)
    unlabelled = judge_pairs(PairCounts(pairs=9))
    assert (unlabelled.low, unlabelled.high) == (None, None)


def test_a_loss_at_the_margin_seldom_passes_though_it_is_looked_at_all_the_time() -> None:
    """Of candidates that lose just what is tolerated, few may ever be shown to lose less; few discordant pairs too."""
    rng = np.random.default_rng(7)
    n, runs, passed = np.arange(1, 6_001), 400, 0
    for _ in range(runs):
        lost = np.cumsum(rng.random(n.size) < 0.01)
        low, _ = pair_limits(lost, np.zeros(n.size), n, 0.05, 5_000.0)
        passed += bool((low > -0.01).any())
    assert passed / runs <= 0.05


def test_what_rolls_a_shadow_back_is_said_first() -> None:
    counts = replace(pairs(12, 8, right=900, wrong=80), positive=pairs(70, 5, right=300, wrong=20))
    verdict, _ = shadow_verdict(counts, SETTINGS, ACCURACY, recall=default_metric("recall"))
    assert [result.status for result in verdict.metrics] == ["inconclusive", "worse"]
    assert verdict.verdict == "rollback"
    assert list(verdict.reasons) == [verdict.metrics[1].reason, verdict.metrics[0].reason]


def test_versions_that_agree_on_everything_are_alike_after_a_while() -> None:
    early, _ = shadow_verdict(pairs(0, 0, right=400, wrong=20), SETTINGS, ACCURACY)
    assert early.verdict == "hold"
    needed = early.metrics[0].samples_left
    assert needed is not None
    later, _ = shadow_verdict(pairs(0, 0, right=400 + needed, wrong=20), SETTINGS, ACCURACY)
    assert (later.verdict, later.metrics[0].status) == ("promote", "non_inferior")


@pytest.mark.parametrize(
    ("lost", "won", "right", "verdict", "status"),
    [
        (20, 20, 600, "promote", "non_inferior"),
        (70, 5, 300, "rollback", "worse"),
        (2, 1, 100, "hold", "inconclusive"),
    ],
)
def test_recall_is_judged_by_the_pairs_of_the_positive_class(
    lost: int, won: int, right: int, verdict: str, status: str
) -> None:
    """Accuracy, of which positives are a small part, is within its limit all the time."""
    positive = pairs(lost, won, right=right, wrong=20)
    counts = replace(pairs(lost, won, right=50_000), positive=positive)
    judged, _ = shadow_verdict(counts, SETTINGS, ACCURACY, recall=default_metric("recall", margin=0.07))
    accuracy, recall = judged.metrics
    assert (judged.verdict, accuracy.status) == (verdict, "non_inferior")
    assert (recall.name, recall.status, recall.label) == ("recall", status, "paired recall")
    assert recall.n_baseline == positive.labelled
    assert recall.baseline == pytest.approx((positive.both_right + lost) / positive.labelled)
    assert recall.difference == pytest.approx((won - lost) / positive.labelled)
    assert recall.reason.startswith(
        f"on {positive.labelled:,} labelled pairs of positives recall of v2 differs"
    )


def test_recall_waits_for_a_pair_of_the_positive_class() -> None:
    counts = replace(pairs(20, 20), positive=PairCounts())
    judged, _ = shadow_verdict(counts, SETTINGS, ACCURACY, recall=default_metric("recall"))
    assert (judged.verdict, judged.metrics[1].status) == ("hold", "no_data")
    assert judged.reasons[0] == "recall: n/a, because no pair has a label of the positive class yet"


@pytest.mark.parametrize(
    ("counts", "verdict", "state"),
    [
        (pairs(350, 150), "rollback", RolloutState.DECIDED),
        (pairs(250, 250), "promote", RolloutState.DECIDED),
        (pairs(100, 300), "promote", RolloutState.DECIDED),
        (pairs(6, 5, right=200, wrong=20), "hold", RolloutState.UNDECIDED),
        (PairCounts(pairs=500, disagreements=10), "hold", RolloutState.STALE_LABELS),
        (PairCounts(), "hold", RolloutState.NO_DATA),
        (PairCounts(unpaired_baseline=70), "hold", RolloutState.ONE_ARM_SILENT),
        (PairCounts(unpaired_baseline=70, unpaired_candidate=60), "hold", RolloutState.STARTED_APART),
    ],
)
def test_verdicts_of_pairs(counts: PairCounts, verdict: str, state: RolloutState) -> None:
    judged, _ = shadow_verdict(counts, SETTINGS, ACCURACY)
    assert (judged.verdict, judged.state) == (verdict, state)
    assert judged.reasons


@pytest.mark.parametrize(
    ("counts", "state"),
    [
        (pairs(350, 150), RolloutState.ROLES_UNKNOWN),
        (pairs(100, 300), RolloutState.ROLES_UNKNOWN),
        (PairCounts(), RolloutState.NO_DATA),
    ],
)
def test_pairs_decide_nothing_where_the_baseline_is_a_guess(counts: PairCounts, state: RolloutState) -> None:
    judged, _ = shadow_verdict(counts, replace(SETTINGS, unknown_roles="it is not known"), ACCURACY)
    known, _ = shadow_verdict(counts, SETTINGS, ACCURACY)
    assert (judged.verdict, judged.state) == ("hold", state)
    if state is RolloutState.ROLES_UNKNOWN:
        assert judged.reasons == ("it is not known", *known.reasons)


def test_sentences_of_pairs() -> None:
    lost, _ = shadow_verdict(pairs(350, 150), SETTINGS, ACCURACY)
    assert lost.reasons[0].startswith(
        "on 10,000 labelled pairs accuracy of v2 differs from v1's by −2 points ("
    )
    assert "350 lost, 150 won" in lost.reasons[0]
    alone, _ = shadow_verdict(PairCounts(unpaired_baseline=70), SETTINGS, ACCURACY)
    assert alone.reasons == ("v2 answered none of the 70 requests that v1 answered",)
    unlabelled, _ = shadow_verdict(PairCounts(pairs=9), SETTINGS, ACCURACY)
    assert unlabelled.reasons == ("accuracy: n/a, because no pair has a label yet",)


def test_the_minimum_time_holds() -> None:
    early, _ = shadow_verdict(pairs(250, 250), replace(SETTINGS, min_time=600), ACCURACY, elapsed=300)
    assert (early.verdict, early.state) == ("hold", RolloutState.MINIMUM_TIME)


@pytest.mark.parametrize(
    ("rate", "status"), [(0.02, "non_inferior"), (0.08, "worse"), (0.05, "inconclusive")]
)
def test_a_cap_on_disagreement(rate: float, status: str) -> None:
    counts = PairCounts(pairs=5_000, disagreements=int(5_000 * rate))
    verdict, _ = shadow_verdict(counts, SETTINGS, ACCURACY, cap=0.05)
    assert verdict.metrics[1].status == status
    assert (verdict.verdict == "rollback") == (status == "worse")


def test_disagreement_evidence_averages_one_under_the_null() -> None:
    """Exact: enumerate every outcome of 200 pairs at the cap."""
    k = np.arange(201)
    weights = stats.binom.pmf(k, 200, 0.05)
    for above in (True, False):
        log_e = disagreement_log_e(k, 200, 0.05, above=above)
        assert np.sum(np.exp(log_e) * weights) == pytest.approx(1)


@pytest.mark.usual(1)
@pytest.mark.parametrize("cap", [None, 0.08])
@pytest.mark.parametrize("lost_rate", [0.02, 0.04])
def test_a_timeline_of_pairs_says_what_the_verdict_said_at_each_moment(
    cap: float | None, lost_rate: float
) -> None:
    rng = np.random.default_rng(9)
    minutes = np.arange(100, 160)
    outcome = rng.multinomial(100, [lost_rate, 0.02, 0.85, 0.11 - lost_rate], minutes.size).cumsum(axis=0)
    lost, won, right, wrong = outcome.T
    n = 100 * np.arange(1, minutes.size + 1, dtype=np.float64)
    one = PairMoments(minutes, n, (lost + won).astype(float), n, lost.astype(float), won.astype(float))
    moments = replace(one, positive=one)
    empty = np.zeros(minutes.size, dtype=np.int8)
    by_arm = RolloutTimeline(minutes, empty, empty, {}, None)
    own = replace(SETTINGS, min_time=600)
    wanted = default_metric("recall")
    timeline = with_pairs(by_arm, moments, own, ACCURACY, cap, guarded=False, recall=wanted)
    for at in range(minutes.size):
        counts = pairs(int(lost[at]), int(won[at]), right=int(right[at]), wrong=int(wrong[at]))
        counts = replace(counts, positive=counts)
        verdict, shadow = shadow_verdict(counts, own, ACCURACY, cap, elapsed=60.0 * (at + 1), recall=wanted)
        assert timeline.verdict_at(at) == verdict.verdict
        assert timeline.state_at(at) == verdict.state
        accuracy = timeline.metrics["accuracy"]
        assert accuracy.status_at(at) == verdict.metrics[0].status
        assert accuracy.difference[at] == pytest.approx(shadow.accuracy_difference)
        assert accuracy.low[at] == pytest.approx(shadow.low)
        assert timeline.metrics["recall"].status_at(at) == verdict.metrics[1].status
        if cap is not None:
            assert timeline.metrics["disagreement"].status_at(at) == verdict.metrics[2].status
    first = {timeline.verdict_at(at): at for at in reversed(range(minutes.size))}
    decided = min((at for verdict, at in first.items() if verdict != "hold"), default=None)
    assert timeline.decided == (None if decided is None else minutes[decided])


def test_pairs_count_up_to_each_minute() -> None:
    column = np.array([5.0, 9.0, 12.0])
    moments = PairMoments(np.array([10, 12, 20]), *(column * factor for factor in range(1, 6)))
    found = replace(moments, positive=moments).at(np.array([9, 10, 11, 15, 25]))
    assert found.pairs.tolist() == [0, 5, 5, 9, 12]
    assert found.only_candidate_right.tolist() == [0, 25, 25, 45, 60]
    assert found.positive is not None
    assert found.positive.labelled.tolist() == [0, 15, 15, 27, 36]


def test_more_pairs_like_these_would_decide() -> None:
    verdict, _ = shadow_verdict(pairs(40, 30, right=2_000, wrong=100), SETTINGS, ACCURACY, cap=0.035)
    accuracy, disagreement = verdict.metrics
    for metric in (accuracy, disagreement):
        assert metric.status == "inconclusive"
        assert metric.samples_left is not None
        assert f"about {number(metric.samples_left)} more" in metric.reason
    factor = 1 + (accuracy.samples_left or 0) / 2_170
    lost, won, right, wrong = (round(factor * count) for count in (40, 30, 2_000, 100))
    later, _ = shadow_verdict(pairs(lost, won, right=right, wrong=wrong), SETTINGS, ACCURACY)
    assert later.metrics[0].status != "inconclusive"

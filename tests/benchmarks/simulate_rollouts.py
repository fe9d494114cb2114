"""Simulate rollouts that are looked at all the time, and print the error rates beside the expected ones.

Run: python tests/benchmarks/simulate_rollouts.py [--runs 2000] [--seed 0]

Each run looks every 100 samples, up to 20,000. "Naive" is the one-sided z-test at 5 % at each look.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlwatch.metrics import sequential as seq
from mlwatch.metrics import sequential_ratio as ratio

if TYPE_CHECKING:
    from collections.abc import Callable

Array: TypeAlias = NDArray[np.float64]
Arms: TypeAlias = tuple[seq.Moments, seq.Moments]

LOOKS, BATCH, ALPHA = 200, 100, 0.05
Z = 1.6448536269514722
CHUNK = 100
"""Runs of a mean that are drawn at a time."""


@dataclass(frozen=True)
class Outcome:
    """Error rates of one scenario, as fractions; samples until the alarm as the median over runs."""

    naive: float | None
    false: float
    median: float | None = None
    detected: float | None = None


@dataclass(frozen=True)
class Scenario:
    """One row of the table."""

    name: str
    run: Callable[[np.random.Generator, int], Outcome]
    expected: Outcome
    must_fail: bool = False
    """The false alarms must be many: the method is the wrong one."""

    def passes(self, outcome: Outcome, slack: float = 0.0) -> bool:
        """Return whether the error rates are acceptable, with Monte-Carlo slack as a fraction."""
        if self.must_fail:
            return outcome.false > 0.5
        missed = abs((outcome.detected or 0.0) - (self.expected.detected or 0.0))
        return outcome.false <= ALPHA + slack and missed <= 0.03 + slack


# --- drawing ------------------------------------------------------------------------------------------------


def draw_proportions(
    rng: np.random.Generator,
    runs: int,
    rates: tuple[float | Array, float | Array],
    share: float | Array = 0.5,
    looks: int = LOOKS,
) -> Arms:
    """Draw both arms' counts: one stratum a look, traffic assigned at random."""
    n_c = rng.binomial(BATCH, share, (runs, looks))
    n_b = BATCH - n_c
    b, c = rng.binomial(n_b, rates[0]), rng.binomial(n_c, rates[1])
    return seq.Moments.of_proportion(n_b, b), seq.Moments.of_proportion(n_c, c)


def draw_means(
    rng: np.random.Generator,
    runs: int,
    value: Callable[[np.random.Generator, tuple[int, ...]], Array],
    factor: float,
    cap: float,
) -> Arms:
    """Draw both arms' winsorised moments; the candidate's values are multiplied by the factor."""
    parts = []
    for start in range(0, runs, CHUNK):
        size = (min(CHUNK, runs - start), LOOKS, BATCH)
        n_c = rng.binomial(BATCH, 0.5, size[:2])
        is_c = np.arange(BATCH) < n_c[..., None]
        x = np.minimum(value(rng, size) * np.where(is_c, factor, 1.0), cap)
        total, squares = x.sum(axis=-1), (x * x).sum(axis=-1)
        c = seq.Moments.of(n_c, (x * is_c).sum(axis=-1), (x * x * is_c).sum(axis=-1))
        parts.append((seq.Moments.of(BATCH - n_c, total - c.total, squares - c.squares), c))
    base, cand = (
        seq.Moments(
            *(np.concatenate(columns) for columns in zip(*(part[arm] for part in parts), strict=True))
        )
        for arm in (0, 1)
    )
    return base, cand


# --- methods ------------------------------------------------------------------------------------------------


def naive_z(arms: Arms, sign: float = 1.0) -> Array:
    """Return the pooled z statistic at each look."""
    base, cand = (seq.Moments(*(np.cumsum(column, axis=1) for column in arm)) for arm in arms)
    variance = (base + cand).variance
    with np.errstate(invalid="ignore", divide="ignore"):
        z = sign * (cand.mean - base.mean) / np.sqrt(variance * (1 / base.n + 1 / cand.n))
    return np.where(np.isfinite(z), z, -np.inf)


def normal_paths(
    arms: Arms, variance: float, share: float = 0.5, sign: float = 1.0, *, mean: bool = False
) -> Array:
    """Return P1's log e-value at each look, 0 while its gate is closed."""
    s, v = (np.cumsum(column, axis=1) for column in seq.mean_terms(*arms))
    log_e = seq.normal_log_e(sign * s, v, seq.normal_rho(seq.OPTIMAL_N * share * (1 - share) * variance))
    n_b, n_c = (np.cumsum(arm.n, axis=1) for arm in arms)
    smaller = np.minimum(n_b, n_c)
    if mean:
        return np.where(smaller >= 500, log_e, 0)
    k = np.cumsum(arms[0].total + arms[1].total, axis=1)
    return np.where(k * smaller >= 5 * (n_b + n_c), log_e, 0)


def pooled_paths(arms: Arms, variance: float, share: float) -> Array:
    """Return P1's log e-value of pooled counts: what must not be done across a ramp."""
    pooled = [seq.Moments(*(np.cumsum(column, axis=1) for column in arm)) for arm in arms]
    s, v = seq.mean_terms(*pooled)
    return seq.normal_log_e(s, v, seq.normal_rho(seq.OPTIMAL_N * share * (1 - share) * variance))


def ratio_paths(arms: Arms) -> Array:
    """Return P3's log e-value at each look."""
    base, cand = arms
    parts = []
    for start in range(0, base.n.shape[0], CHUNK):
        rows = slice(start, start + CHUNK)
        share = cand.n[rows] / (base.n[rows] + cand.n[rows])
        ell = ratio.ratio_terms(cand.total[rows], base.total[rows], share)
        parts.append(ratio.ratio_log_e(np.cumsum(ell, axis=1)))
    return np.concatenate(parts)


def margin_paths(arms: Arms, margin: float, variance: float) -> NDArray[np.bool_]:
    """Return at each look whether harm of the margin or more is ruled out."""
    terms = seq.contrast_terms(*arms)
    s, v = (np.cumsum(column, axis=1) for column in terms.at())
    weight = np.cumsum(terms.weight, axis=1)
    rho = seq.normal_rho(seq.OPTIMAL_N / 4 * variance)
    ready = np.cumsum(arms[0].total + arms[1].total, axis=1) >= 10
    return ready & (weight * margin - s > seq.normal_half_width(v, rho, ALPHA))


def ever(log_e: Array, alpha: float = ALPHA) -> float:
    """Return the fraction of runs that ever alarm."""
    return float(np.mean((log_e >= -np.log(alpha)).any(axis=1)))


def median_samples(alarms: NDArray[np.bool_]) -> float | None:
    """Return the median number of samples to the first alarm; None if most runs have none."""
    first = np.where(alarms.any(axis=1), (alarms.argmax(axis=1) + 1) * BATCH, np.inf)
    middle = float(np.median(first))
    return middle if np.isfinite(middle) else None


def _outcome(z: Array, null: Array, fault: Array, alpha: float = ALPHA) -> Outcome:
    return Outcome(
        float(np.mean((z >= Z).any(axis=1))),
        ever(null, alpha),
        median_samples(fault >= -np.log(alpha)),
        ever(fault, alpha),
    )


# --- scenarios ----------------------------------------------------------------------------------------------


def accuracy(rng: np.random.Generator, runs: int) -> Outcome:
    """Accuracy .90 to .88, judged by P1."""
    null, fault = draw_proportions(rng, runs, (0.10, 0.10)), draw_proportions(rng, runs, (0.10, 0.12))
    return _outcome(naive_z(null), normal_paths(null, 0.09), normal_paths(fault, 0.09))


def errors(
    share: float, p_b: float = 0.005, p_c: float = 0.01
) -> Callable[[np.random.Generator, int], Outcome]:
    """Rare events, judged by P3."""

    def run(rng: np.random.Generator, runs: int) -> Outcome:
        null, fault = (draw_proportions(rng, runs, (p_b, p), share) for p in (p_b, p_c))
        return _outcome(naive_z(null), ratio_paths(null), ratio_paths(fault))

    return run


def mean_of(
    value: Callable[[np.random.Generator, tuple[int, ...]], Array], factor: float, sign: float
) -> Callable[[np.random.Generator, int], Outcome]:
    """Mean of a skewed value, winsorised at its frozen p99.9, judged by P1."""

    def run(rng: np.random.Generator, runs: int) -> Outcome:
        reference = value(rng, (1_000_000,))
        cap = float(np.quantile(reference, 0.999))
        variance = float(np.minimum(reference, cap).var())
        null, fault = (draw_means(rng, runs, value, each, cap) for each in (1.0, factor))
        quiet, alarmed = (normal_paths(arms, variance, sign=sign, mean=True) for arms in (null, fault))
        return _outcome(naive_z(null, sign), quiet, alarmed)

    return run


def latency(rng: np.random.Generator, size: tuple[int, ...]) -> Array:
    """Draw lognormal latencies (σ = 1)."""
    return np.exp(rng.standard_normal(size))


def revenue(rng: np.random.Generator, size: tuple[int, ...]) -> Array:
    """Draw revenue: 5 % buy, for a lognormal amount (σ = 1)."""
    values = np.zeros(size)
    buys = rng.random(size) < 0.05
    values[buys] = np.exp(rng.standard_normal(int(buys.sum())))
    return values


def shadow(rng: np.random.Generator, runs: int) -> Outcome:
    """Pairs that disagree in 5 % of cases, evenly or with the candidate 2 points worse, judged by P2."""

    def draw(lost: float, won: float) -> tuple[Array, Array]:
        pairs = (
            rng.multinomial(BATCH, [lost, won, 1 - lost - won], (runs, LOOKS)).cumsum(axis=1).astype(float)
        )
        return pairs[..., 0], pairs[..., 1]

    def paths(lost: Array, won: Array) -> Array:
        return seq.beta_binomial_log_e(lost, won, 0.5, 20, one_sided=True)

    null, fault = draw(0.025, 0.025), draw(0.035, 0.015)
    z = (null[0] - null[1]) / np.sqrt(np.maximum(null[0] + null[1], 1))
    return _outcome(z, paths(*null), paths(*fault))


def sample_ratio(rng: np.random.Generator, runs: int) -> Outcome:
    """Traffic 53/47 instead of 50/50, judged by the Dirichlet mixture at 0.1 %."""
    null, fault = (np.cumsum(rng.binomial(BATCH, share, (runs, LOOKS)), axis=1) for share in (0.5, 0.53))
    n = BATCH * np.arange(1, LOOKS + 1)
    z = np.abs(null - n / 2) / np.sqrt(n / 4) - 1.959963984540054 + Z  # two-sided, as a mismatch is
    quiet, alarmed = (ratio.sample_ratio_log_e(n - n_c, n_c, 0.5) for n_c in (null, fault))
    return _outcome(z, quiet, alarmed, alpha=0.001)


def ramp(method: str) -> Callable[[np.random.Generator, int], Outcome]:
    """Ramp 5, 10, 25, 50 % while the rate of both arms drifts from 5 to 15 %."""

    def run(rng: np.random.Generator, runs: int) -> Outcome:
        share = np.repeat([0.05, 0.10, 0.25, 0.50], LOOKS // 4)
        rate = np.linspace(0.05, 0.15, LOOKS)
        arms = draw_proportions(rng, runs, (rate, rate), share)
        log_e = {
            "P1": lambda: normal_paths(arms, 0.09, 0.25),
            "P3": lambda: ratio_paths(arms),
            "pooled": lambda: pooled_paths(arms, 0.09, 0.25),
        }[method]()
        return Outcome(float(np.mean((naive_z(arms) >= Z).any(axis=1))), ever(log_e))

    return run


def promotion(margin: float, looks: int) -> Callable[[np.random.Generator, int], Outcome]:
    """Rule out a margin of accuracy: falsely when harm is the margin, and in time when there is none."""

    def run(rng: np.random.Generator, runs: int) -> Outcome:
        at_margin = margin_paths(draw_proportions(rng, runs, (0.10, 0.10 + margin)), margin, 0.09)
        equal = margin_paths(draw_proportions(rng, runs, (0.10, 0.10), looks=looks), margin, 0.09)
        return Outcome(None, float(np.mean(at_margin.any(axis=1))), median_samples(equal))

    return run


def five_metrics(rng: np.random.Generator, runs: int) -> Outcome:
    """Five guardrails share alpha; the fault is in accuracy alone."""
    null = np.max([normal_paths(draw_proportions(rng, runs, (0.10, 0.10)), 0.09) for _ in range(5)], axis=0)
    fault = normal_paths(draw_proportions(rng, runs, (0.10, 0.12)), 0.09)
    level = ALPHA / 5
    return Outcome(None, ever(null, level), median_samples(fault >= -np.log(level)), ever(fault, level))


SCENARIOS = (
    Scenario("accuracy .90→.88, 50/50: P1", accuracy, Outcome(0.345, 0.022, 6_100, 0.97)),
    Scenario("errors .5→1 %, 50/50: P3", errors(0.5), Outcome(0.310, 0.018, 8_100, 0.94)),
    Scenario("errors .5→1 %, 10 % canary: P3", errors(0.1), Outcome(0.380, 0.009, None, 0.49)),
    Scenario("p99 +20 %, frozen quantile: P3", errors(0.5, 0.01, 0.02489), Outcome(0.375, 0.018, 2_100, 1.0)),
    Scenario("mean latency +10 %: P1", mean_of(latency, 1.1, 1), Outcome(0.358, 0.025, 4_500, 0.99)),
    Scenario("revenue −30 %: P1", mean_of(revenue, 0.7, -1), Outcome(0.345, 0.021, 9_900, 0.84)),
    Scenario("shadow .90→.88: P2", shadow, Outcome(0.344, 0.025, 1_000, 1.0)),
    Scenario("sample ratio 53/47: Dirichlet", sample_ratio, Outcome(0.437, 0.001, 5_000, 1.0)),
    Scenario("ramp with drift, stratified: P1", ramp("P1"), Outcome(1.0, 0.033)),
    Scenario("ramp with drift, stratified: P3", ramp("P3"), Outcome(1.0, 0.021)),
    Scenario("ramp with drift, pooled: P1", ramp("pooled"), Outcome(1.0, 0.996), must_fail=True),
    Scenario("promote, margin 2 points: P1", promotion(0.02, 200), Outcome(None, 0.033, 7_500)),
    Scenario("promote, margin 1 point: P1", promotion(0.01, 500), Outcome(None, 0.025, 21_500)),
    Scenario("five metrics, e-Bonferroni: P1", five_metrics, Outcome(None, 0.018, 9_600, 0.91)),
)


# --- table --------------------------------------------------------------------------------------------------


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _samples(value: float | None, outcome: Outcome) -> str:
    if value is None:
        return "-" if outcome.detected is None else ">20k"
    return f"{value:,.0f}"


def table_row(scenario: Scenario, outcome: Outcome) -> str:
    """Return one line: expected / simulated."""
    expected = scenario.expected
    cells = [
        f"{_percent(expected.naive)} / {_percent(outcome.naive)}",
        f"{_percent(expected.false)} / {_percent(outcome.false)}",
        f"{_samples(expected.median, expected)} / {_samples(outcome.median, outcome)}",
        f"{_percent(expected.detected)} / {_percent(outcome.detected)}",
    ]
    verdict = "ok" if scenario.passes(outcome) else "FAILED"
    return f"{scenario.name:34}" + "".join(f"{cell:>18}" for cell in cells) + f"  {verdict}"


def main(arguments: list[str] | None = None) -> int:
    """Simulate every scenario; return 1 if one is not acceptable."""
    parser = argparse.ArgumentParser(description="Simulate rollouts that are looked at all the time.")
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    head = ("naive peeked %", "false alarms %", "median samples", "detected %")
    sys.stdout.write(f"{'expected / simulated':34}" + "".join(f"{title:>18}" for title in head) + "\n")
    failed = 0
    for number, scenario in enumerate(SCENARIOS):
        outcome = scenario.run(np.random.default_rng([options.seed, number]), options.runs)
        failed += not scenario.passes(outcome)
        sys.stdout.write(table_row(scenario, outcome) + "\n")
        sys.stdout.flush()
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())

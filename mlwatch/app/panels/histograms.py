"""Histograms of both versions, or of both classes, on one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from textual.content import Content

from mlwatch.app.drawing import clean
from mlwatch.app.panels.base import Plotted
from mlwatch.app.panels.curvepanels import scored, why_no_scores
from mlwatch.app.units import show
from widgets.histogram import Bins, HistogramPair

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlwatch.app.view import View
    from mlwatch.snapshot.distributions import Bars
    from mlwatch.snapshot.types import Version

EMPTY = Bins.of([], [], [])
MILLI = 0.001


class LatencyPanel(Plotted, HistogramPair):
    """Draw the latency of both versions on a logarithmic scale."""

    HELP_TEXT = "How long requests took, on a logarithmic scale; bars are shares of each version's requests."
    BORDER_TITLE = "Latency"
    RESTYLED: ClassVar[Mapping[str, str]] = {
        "reference": "$baseline",
        "on-reference": "on $baseline",
        "current": "$candidate",
        "on-current": "on $candidate",
    }

    def take(self, view: View) -> None:
        """Show the latencies of a view."""
        bins = latency_bins(view)
        self.say("" if bins.edges.size else "No latencies: log them, for example as latency_ms.")
        self.update(bins)


class ResidualsPanel(Plotted, HistogramPair):
    """Draw by how much the predictions of both versions missed their labels."""

    HELP_TEXT = (
        "Residuals: prediction less label, in the label's unit; bars are shares of each version's labelled "
        "predictions, the outer ones with everything beyond. The legend says the median: off zero, a version guesses "
        "too high or too low."
    )
    BORDER_TITLE = "Residuals: prediction less label"
    RESTYLED: ClassVar[Mapping[str, str]] = LatencyPanel.RESTYLED

    def take(self, view: View) -> None:
        """Show the residuals of a view."""
        bins = residual_bins(view)
        self.say("" if bins.edges.size else NO_RESIDUALS)
        self.update(bins)


NO_RESIDUALS = (
    "No labels yet: log records with a request id and a label; [roles] id and label name their columns."
)


def residual_bins(view: View) -> Bins:
    """Return the residuals of both versions over the edges that all versions share; empty without any."""
    versions = [version for version in (view.baseline, view.candidate) if version is not None]
    edges = next((version.residual_bars.edges for version in versions if version.residual_bars), ())
    if not edges:
        return EMPTY
    counts = [_laid(version.residual_bars, list(edges)) for version in versions] + [np.zeros(len(edges) - 1)]
    names = [f"{clean(version.name, 16)}{_median(version)}" for version in versions] + [""]
    return Bins.of(edges, counts[0], counts[1], names=(names[0], names[1]))


def _median(version: Version) -> str:
    median = version.outputs.residuals.get("p50")
    return "" if median is None else f" median {show(median, 'score')}"


class ScoresPanel(Plotted, HistogramPair):
    """Draw the scores of one version by true class."""

    HELP_TEXT = "Scores of the candidate's labelled predictions by true class; the less overlap, the better they part."
    BORDER_TITLE = "Scores by true class"

    def take(self, view: View) -> None:
        """Show the scores of the candidate, or of the only version."""
        found = list(scored(view))
        self.say("" if found else why_no_scores(view))
        if not found:
            self.update(EMPTY)
            return
        version, scores, _ = found[-1]
        self.border_title = Content(f"Scores of {clean(version.name, 24)} by true class")
        positive = clean((view.model.positive_class if view.model else None) or "positive", 16)
        self.update(
            Bins.of(scores.edges, scores.negative, scores.positive, names=(f"not {positive}", positive))
        )


def latency_bins(view: View) -> Bins:
    """Return the latencies of both versions over the bins that any of them fills; empty without any."""
    versions = [version for version in (view.baseline, view.candidate) if version is not None]
    known = [version.latency_bars for version in versions if version.latency_bars is not None]
    if not known:
        return EMPTY
    edges = sorted({edge for bars in known for edge in bars.edges})
    names = [clean(version.name, 20) for version in versions] + [""]
    counts = [_laid(version.latency_bars, edges) for version in versions] + [np.zeros(len(edges) - 1)]
    return Bins.of(MILLI * np.array(edges), counts[0], counts[1], "s", (names[0], names[1]))


def _laid(bars: Bars | None, edges: list[float]) -> np.ndarray:
    """Return counts over edges that hold those of the bars."""
    laid = np.zeros(len(edges) - 1)
    if bars is not None:
        places = np.searchsorted(edges, bars.edges[:-1])
        laid[places] = bars.counts
    return laid

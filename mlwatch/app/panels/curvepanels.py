"""Curves of both versions: ROC, precision and recall, calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.app.charts import VERSION_STYLES
from mlwatch.app.drawing import short
from mlwatch.app.panels.base import Plotted
from widgets.calibration import CalibrationPlot, Reliability
from widgets.curves import Curve, CurvePlot, Square

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlwatch.app.view import View
    from mlwatch.snapshot.distributions import Scores
    from mlwatch.snapshot.types import Version


def scored(view: View) -> Iterator[tuple[Version, Scores, str]]:
    """Yield the versions with labelled scores, and their styles."""
    for version, style in zip((view.baseline, view.candidate), VERSION_STYLES, strict=True):
        if version is not None and version.scores is not None:
            yield version, version.scores, style


def why_no_scores(view: View) -> str:
    """Return why there are no scores to draw, and what to do about it."""
    task = view.model.task if view.model else "unknown"
    if task not in ("binary", "unknown"):
        return f"n/a, because the task is {task}: these are drawn of scores for two classes."
    labelled = any(version.labelled for version in (view.baseline, view.candidate) if version is not None)
    if not labelled:
        return "No labels yet: log records with a request id and a label; [roles] id and label name their columns."
    return "No scores: log a score, such as the probability of the positive class, beside the prediction."


def _area(version: Version, key: str) -> str:
    found = version.performance.get(key)
    return "" if found is None or found.value is None else f"{found.value:.3f}"


class RocPanel(Plotted, CurvePlot):
    """Draw the ROC curve of both versions."""

    HELP_TEXT = (
        "ROC: the share of positives found against that of negatives taken for positive, at every threshold."
    )
    BORDER_TITLE = "ROC curve, with its area"

    def take(self, view: View) -> None:
        """Show the curves of a view."""
        curves = tuple(
            Curve.of(short(version.name, 20), *_columns(scores.roc), style, _area(version, "roc_auc"))
            for version, scores, style in scored(view)
            if scores.roc
        )
        self.say("" if curves else why_no_scores(view))
        self.update(Square(curves, True, "false positive rate", "true positive rate"))


class PrPanel(Plotted, CurvePlot):
    """Draw precision against recall of both versions."""

    HELP_TEXT = "Precision against recall at every threshold."
    BORDER_TITLE = "Precision and recall, with the area"

    def take(self, view: View) -> None:
        """Show the curves of a view."""
        curves = tuple(
            Curve.of(short(version.name, 20), *_columns(scores.pr), style, _area(version, "pr_auc"))
            for version, scores, style in scored(view)
            if scores.pr
        )
        self.say("" if curves else why_no_scores(view))
        self.update(Square(curves, False, "recall", "precision"))


class CalibrationPanel(Plotted, CalibrationPlot):
    """Draw how probable positives were against how many there were."""

    HELP_TEXT = (
        "Calibration: mean score of similar predictions against the share of positives among them; on the diagonal "
        "scores are true probabilities. ECE is the mean distance from it."
    )
    BORDER_TITLE = "Calibration"

    def take(self, view: View) -> None:
        """Show the curves of a view."""
        curves = tuple(
            Reliability.of(
                short(version.name, 20),
                [point.score for point in scores.calibration],
                [point.share for point in scores.calibration],
                [point.n for point in scores.calibration],
                style,
                f"ECE {_area(version, 'ece')}" if _area(version, "ece") else "",
            )
            for version, scores, style in scored(view)
            if scores.calibration
        )
        why = why_no_scores(view)
        if next(scored(view), None) is not None:
            why = "n/a, because the scores are not probabilities: some lie outside 0 to 1."
        self.say("" if curves else why)
        self.update(curves)


def _columns(points: tuple[tuple[float, float], ...]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]

"""What the score of a record is beside its answer and its label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.elements import dotted
from mlwatch.roles import confidence, leftovers, looks
from mlwatch.roles.features import orders_ranking
from mlwatch.roles.names import aliases, has_affix
from mlwatch.roles.types import SCORE_THRESHOLD, Feature

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlwatch.roles.choice import Choice


def regression_score(choice: Choice) -> None:
    """Take a predicted score for the prediction where the label is a score, too: no class is a fraction."""
    label, score = choice.chosen.get("label"), choice.chosen.get("score")
    if label is None or score is None or "prediction" in choice.roles:
        return
    fractions = any(not number.is_integer() for number in looks.numbers(label))
    if "actualscore" in aliases(label.path) or (fractions and has_affix("prediction", score.path)):
        del choice.roles["score"]
        choice.roles["prediction"] = score.path
        choice.reasons["prediction"] = f"named {dotted(score.path)}, beside {dotted(label.path)}"
        choice.reasons.pop("score", None)


def answer_beside_score(choice: Choice) -> None:
    """Take a label for the prediction where it is what a classifier answers with its score."""
    label, score = choice.chosen.get("label"), choice.chosen.get("score")
    said = choice.settings.label or choice.settings.score
    if label is None or score is None or "prediction" in choice.roles or said:
        return
    if confidence.is_answer(label, score):
        choice.release("label")
        choice.take("prediction", label, f"named {dotted(label.path)}, beside {dotted(score.path)}")
        drop_confidence(choice)
        choice.choose("label", "label")


def drop_confidence(choice: Choice) -> None:
    """Leave out a score that is the confidence in the predicted class, and look for another."""
    score, answer = choice.chosen.get("score"), choice.chosen.get("prediction")
    if score is None or answer is None or choice.settings.score is not None:
        return
    if confidence.is_confidence(score, answer):
        choice.release("score")
        choice.drop((score,), leftovers.CONFIDENCE)
        choice.choose("score", "score")


def score_threshold(choice: Choice, features: Iterable[Feature]) -> float | None:
    """Return half of what is certain, where the answer is made of scores; None where these tell no class."""
    column = choice.chosen.get("score")
    if column is None:
        return choice.decided.score_threshold
    if "prediction" in choice.roles:
        return SCORE_THRESHOLD
    if orders_ranking(features):
        choice.reasons["score"] += ", which orders a ranking: it tells no class"
        return None
    if looks.is_percent(column):
        choice.reasons["score"] += ", in percent: class 1 from 50 on"
        return 50.0
    if looks.tells_classes(column):
        return SCORE_THRESHOLD
    choice.reasons["score"] += ", no probability: it tells no class"
    return None

"""Whether a score is the confidence in an answer, and a label an answer: names alone do not tell.

What `pipeline("text-classification")` of Hugging Face's transformers gives is `{"label": "SPAM", "score": 0.98}`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlwatch.roles.columns import by_record
from mlwatch.roles.looks import number_of, within_unit

if TYPE_CHECKING:
    from mlwatch.roles.types import Column

ENOUGH_SCORES = 5
"""Scores of a class among the samples, from which on they say what scores are of."""
MANY_SCORES = 20
"""Scores of both together, from which on they say it where one class is rare."""
NEGATIVE_NAMES = frozenset({"0", "-1", "false", "no", "n", "negative", "neg", "normal", "ok", "ham", "legit"})
"""What negative classes are called."""
_BOOLEANS = frozenset({"true", "false", "yes", "no"})


def is_confidence(score: Column, answer: Column) -> bool:
    """Tell whether a score can only be the confidence in the answer: both of two classes have it from 0.5 up alike.

    A probability of the positive class would part the classes, wherever the threshold is. Of many negative answers
    alone, some would have one below 0.5.
    """
    answers = by_record(answer)
    scores: dict[str, list[float]] = {}
    for bit, sample in by_record(score).items():
        number = number_of(sample)
        if number is not None and math.isfinite(number) and bit in answers:
            scores.setdefault(str(answers[bit]), []).append(number)
    many = sum(map(len, scores.values())) >= MANY_SCORES
    if len(scores) == 1:
        ((name, numbers),) = scores.items()
        return many and name.strip().lower() in NEGATIVE_NAMES and 0.5 <= min(numbers) <= max(numbers) <= 1
    if len(scores) != 2 or not (many or all(len(numbers) >= ENOUGH_SCORES for numbers in scores.values())):
        return False
    one, other = scores.values()
    apart = max(one) <= min(other) or max(other) <= min(one)
    return not apart and 0.5 <= min(*one, *other) <= max(*one, *other) <= 1


def is_answer(label: Column, score: Column) -> bool:
    """Tell whether a label beside a score is what a classifier answers, such as `{"label": "SPAM", "score": 0.98}`.

    The truth comes without a score, or with one that lies below 0.5 for some.
    """
    if label.where != score.where or label.kinds != {"text"} or not within_unit(score):
        return False
    classes = {str(sample) for sample in label.samples}
    if any(number_of(name) is not None or name.lower() in _BOOLEANS for name in classes):
        return False
    many = len(label.samples) >= ENOUGH_SCORES * len(classes)
    return is_confidence(score, label) or (len(classes) > 2 and many)

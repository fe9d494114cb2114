"""The model of the demo: will a payment be charged back? Logistic regression over five features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "chargeback"
COUNTRIES = ("DE", "FR", "NO", "PL", "US")
_RISK = {"DE": -0.2, "FR": 0.0, "NO": -0.5, "PL": 0.4, "US": 0.2}

Features = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Weights:
    """Of a logistic regression over the logarithm of the amount, the hour, the age of the account and the device."""

    amount: float
    night: float
    account: float
    new_device: float
    country: float
    bias: float


TRUTH = Weights(amount=1.6, night=1.1, account=-0.9, new_device=1.8, country=1.2, bias=-0.6)
"""How payments really come to be charged back."""
VERSIONS = {
    "v1": Weights(amount=1.3, night=0.6, account=-0.7, new_device=1.5, country=0.0, bias=-0.5),
    "v2": Weights(amount=1.6, night=1.0, account=-0.9, new_device=1.7, country=1.0, bias=-0.6),
}
"""What was learnt of it: v2 knows countries."""


def draw(random: np.random.Generator) -> Features:
    """Return the features of one payment."""
    return {
        "amount": round(float(random.lognormal(3.7, 0.9)), 2),
        "hour": int(random.integers(0, 24)),
        "account_days": int(random.exponential(300)),
        "new_device": bool(random.random() < 0.25),
        "country": str(random.choice(COUNTRIES)),
    }


def score(weights: Weights, features: Mapping[str, Any]) -> float:
    """Return the probability of a chargeback."""
    logit = (
        weights.amount * (np.log(max(features["amount"], 0.01)) - 3.7)
        + weights.night * (features["hour"] < 6)
        + weights.account * (np.log1p(features["account_days"]) - 5.0) / 1.2
        + weights.new_device * features["new_device"]
        + weights.country * _RISK.get(features["country"], 0.0)
        + weights.bias
    )
    return float(1.0 / (1.0 + np.exp(-logit)))

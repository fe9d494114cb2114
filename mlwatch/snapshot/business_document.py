"""What predictions led to as it stands in the document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlwatch.metrics.winsor import FEWEST
from mlwatch.snapshot import reasons
from mlwatch.snapshot.reasons import explained

if TYPE_CHECKING:
    from mlwatch.snapshot.types import Business, Revenue

    Document = dict[str, Any]


def business_document(business: Business) -> Document:
    """Return what the predictions of a version or of a window led to."""
    money = business.revenue
    return {
        "conversion": business.conversion.to_dict(),
        "engagement": business.engagement.to_dict(),
        "engagements": {
            kind: {
                "events": found.events,
                "share": found.share.to_dict(),
                "mean_value": found.value.to_dict() if found.value is not None else None,
            }
            for kind, found in business.kinds.items()
        },
        "revenue": _revenue(
            money, reasons.NO_AMOUNTS if business.conversion.value else business.conversion.reason or ""
        ),
        "approval": business.approval.to_dict() if business.approval is not None else None,
        "decisions_per_1000": business.decisions.to_dict() if business.decisions is not None else None,
        "early_events": business.early_events,
        "repeated_events": business.repeated_events,
    }


UNCUT = f"fewer than {FEWEST:,} values, or hardly any above nought"
"""Why no value is cut."""


def _revenue(money: Revenue, unknown: str) -> Document:
    block = {
        "gross": money.told(money.gross),
        "refunds": money.told(money.refunds),
        "total": money.told(money.total),
        "per_prediction": money.per_prediction,
        "low": money.low,
        "high": money.high,
        "method": money.method,
        "winsorised": money.winsorised.to_dict() if money.winsorised is not None else None,
        "currency": money.currency,
        "per_conversion": money.per_conversion.to_dict() if money.per_conversion is not None else None,
    }
    amounts = ("gross", "refunds", "total", "per_prediction", "low", "high", "per_conversion")
    uncut = unknown if money.per_prediction is None else UNCUT
    return explained(block, {**dict.fromkeys(amounts, unknown), "winsorised": uncut})

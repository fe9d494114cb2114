"""The live terminal app: it renders snapshots and computes nothing."""

from __future__ import annotations

from mlwatch.app.app import MlwatchApp
from mlwatch.app.feed import Source
from mlwatch.app.options import AppOptions

__all__ = ["AppOptions", "MlwatchApp", "Source"]

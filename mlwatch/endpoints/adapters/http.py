"""Any HTTP server: the configured health path, or the URL itself."""

from __future__ import annotations

from mlwatch.endpoints.adapter import Adapter

ADAPTER = Adapter

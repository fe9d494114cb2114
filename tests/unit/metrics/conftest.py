"""Fixtures of the metric tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

SqlColumn = Callable[[str, np.ndarray], list[Any]]


@pytest.fixture
def sql_column() -> SqlColumn:
    """Return a function that evaluates a DuckDB expression of the column "x" over an array, in order."""

    def evaluate(expression: str, values: np.ndarray) -> list[Any]:
        connection = duckdb.connect()
        connection.register("rows", pa.table({"i": np.arange(len(values)), "x": values}))
        return [row[0] for row in connection.execute(f"SELECT {expression} FROM rows ORDER BY i").fetchall()]

    return evaluate

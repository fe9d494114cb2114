"""Cases of which a few are among the usual tests, and the others wait for `make test-all`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def deeper(usual: Sequence[object], others: Iterable[object]) -> list[object]:
    """Return the cases of a parameter: some for every run, and others that differ from them little."""
    return [*usual, *(pytest.param(case, marks=pytest.mark.deep) for case in others)]

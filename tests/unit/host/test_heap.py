from __future__ import annotations

import sys

import psutil
import pytest

from mlwatch.host.heap import give_back

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="other C libraries return memory by themselves"
)


def test_memory_that_was_freed_is_returned_to_the_system() -> None:
    process = psutil.Process()
    give_back()
    before = process.memory_info().rss
    pieces = [
        bytes(100_000) for _ in range(1000)
    ]  # small enough to come from the heap, not from a mapping of its own
    kept = pieces[-1]  # above what is freed: without help the heap cannot shrink
    del pieces
    held = process.memory_info().rss - before
    give_back()
    assert held > 50e6
    assert process.memory_info().rss - before < 10e6
    assert len(kept) == 100_000

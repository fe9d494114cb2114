from __future__ import annotations

import re
import subprocess
import sys

import psutil
import pytest

from mlwatch.host.heap import FEW_ARENAS, give_back

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


SHARE = "from mlwatch.host import heap; heap.share_arenas()"
SAY = """
import ctypes
library = ctypes.CDLL(None)
library.fopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(library.fopen(b"/dev/stdout", b"w"))
library.malloc_info(0, out)
library.fclose(out)
"""


def malloc_info_after(work: str, *, shared: bool) -> str:
    """Return what the C library of another process says of its memory after some work."""
    command = [sys.executable, "-c", f"{SHARE if shared else ''}\n{work}{SAY}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


THREADS = """
import threading
barrier = threading.Barrier(9)
def work():
    kept = bytearray(100_000)  # from the thread's arena
    barrier.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
barrier.wait()
for thread in threads:
    thread.join()
"""


@pytest.mark.parametrize("shared", [True, False])
def test_threads_share_a_few_arenas(shared: bool) -> None:
    said = malloc_info_after(THREADS, shared=shared)
    assert (said.count("<heap nr=") <= FEW_ARENAS) == shared


PIECES = """
former = bytearray(8 << 20)
del former  # from now on glibc would take less than that from arenas
pieces = [bytearray(200_000) for _ in range(20)]
"""


@pytest.mark.parametrize("shared", [True, False])
def test_large_pieces_are_of_no_arena(shared: bool) -> None:
    said = malloc_info_after(PIECES, shared=shared)
    found = re.search(r'<total type="mmap" count="(\d+)"', said)
    assert found is not None
    assert (int(found[1]) >= 20) == shared

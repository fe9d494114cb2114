"""Spools of killed processes go; those of living ones stay."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mlwatch.store.spool import LOCK, Spool, sweep

OWNER = """
import sys
from mlwatch.store.spool import Spool
spool = Spool()
(spool.path / "1.spool").write_bytes(b"text")
print(spool.path, flush=True)
sys.stdin.read()
"""


def test_a_killed_process_leaves_nothing_for_long() -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    path = Path(owner.stdout.readline().strip())
    sweep(path.parent)
    assert (path / "1.spool").read_bytes() == b"text"
    owner.kill()
    owner.communicate()
    assert path.exists()
    Spool().close()
    assert not path.exists()


def test_what_is_not_locked_is_left_alone(tmp_path: Path) -> None:
    ours, other = tmp_path / "mlwatch-spool-new", tmp_path / "mlwatch-logs"
    for path in (ours, other):
        path.mkdir()
    sweep(tmp_path)
    assert (ours.exists(), other.exists()) == (True, True)
    (ours / LOCK).touch()
    sweep(tmp_path)
    assert (ours.exists(), other.exists()) == (False, True)

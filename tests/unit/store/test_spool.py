"""Spools of killed processes go; those of living ones stay."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from logfiles import without_ids

from mlwatch.store.database import open_store
from mlwatch.store.spool import LOCK, Spool, _root, sweep

if TYPE_CHECKING:
    import pytest

OWNER = """
import sys
import tempfile
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


LITTLE = """
import resource, sys
from mlwatch.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
sys.exit(main(sys.argv[1:]))
"""
"""With a disk on which no file may grow beyond 10,000 bytes."""


IN_MEMORY = """
import sys
from pathlib import Path
from mlwatch.store.database import open_store
opened = open_store(Path(), ":memory:")
(Path(opened.spill.name) / "duckdb_temp_block-0.block").write_bytes(b"block")
print(opened.spill.name, flush=True)
sys.stdin.read()
"""


def test_what_a_killed_store_in_memory_spilled_goes_with_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    command = [sys.executable, "-c", IN_MEMORY]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    path = Path(owner.stdout.readline().strip())
    open_store(tmp_path, ":memory:").close()
    assert (path / "duckdb_temp_block-0.block").read_bytes() == b"block"
    owner.kill()
    owner.communicate()
    assert path.exists()
    Spool().close()
    assert list(tmp_path.iterdir()) == []


def test_a_full_directory_for_temporary_files_is_named(logs: Path) -> None:
    (logs / "a.jsonl").write_text(without_ids(0, 500))
    command = [sys.executable, "-B", "-c", LITTLE, "report", str(logs), "--db", ":memory:"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    spooled = str(_root() or tempfile.gettempdir())
    assert f"the directory for temporary files is full: {spooled}: free some" in ran.stderr
    assert ("name another with TMPDIR" in ran.stderr) == (_root() is None)
    assert "standard output" not in ran.stderr

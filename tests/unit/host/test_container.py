from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlwatch.host.container import ContainerReader

if TYPE_CHECKING:
    from pathlib import Path


def group(path: Path, **files: str) -> None:
    path.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (path / name.replace("__", ".")).write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "membership").write_text("1:cpu:/old\n0::/pods/mine\n")
    group(tmp_path / "fs")
    return tmp_path


def reader(root: Path) -> ContainerReader:
    return ContainerReader(root / "fs", root / "membership")


def test_memory_is_what_cannot_be_taken_back_of_the_tightest_limit(root: Path) -> None:
    group(
        root / "fs/pods/mine",
        memory__max="1000\n",
        memory__current="700\n",
        memory__stat="inactive_file 300\n",
    )
    group(root / "fs/pods", memory__max="600\n", memory__current="500\n", memory__stat="anon 1\n")
    found = reader(root).read()
    assert found is not None
    assert (found.memory_used_bytes, found.memory_limit_bytes) == (500, 600)
    assert found.memory == pytest.approx(5 / 6)


def test_cpu_limit_and_throttling_are_of_the_periods_between_two_looks(root: Path) -> None:
    mine = root / "fs/pods/mine"
    group(mine, cpu__max="150000 100000\n", cpu__stat="usage_usec 1000000\nnr_periods 10\nnr_throttled 4\n")
    followed = reader(root)
    first = followed.read()
    assert first is not None
    assert (first.cpu_limit, first.throttled, first.cpu_used) == (1.5, None, None)
    group(mine, cpu__stat="usage_usec 1200000\nnr_periods 30\nnr_throttled 9\n")
    second = followed.read()
    assert second is not None
    assert second.throttled == 0.25
    assert second.cpu_used is not None
    assert second.cpu_used > 0


@pytest.mark.parametrize("text", ["max\n", "", "nonsense\n"])
def test_a_group_without_limits_is_none(root: Path, text: str) -> None:
    group(root / "fs/pods/mine", memory__max=text, memory__current="700\n", cpu__max="max 100000\n")
    assert reader(root).read() is None


def test_no_control_groups_at_all(tmp_path: Path) -> None:
    assert ContainerReader(tmp_path, tmp_path / "missing").read() is None
    (tmp_path / "one").write_text("4:memory:/version/one\n")
    assert ContainerReader(tmp_path, tmp_path / "one").read() is None


def test_a_name_that_leads_out_of_the_mount_stays_inside(root: Path) -> None:
    (root / "membership").write_text("0::/../../etc\n")
    group(root / "fs/etc", memory__max="10\n", memory__current="5\n")
    found = reader(root).read()
    assert found is not None
    assert found.memory == 0.5

"""A document takes the place of an earlier one only when it is whole; pipes and devices are written to as they are."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlwatch import rights
from mlwatch.commands.writing import write
from mlwatch.errors import InputError

CODE = """
import resource, sys
from pathlib import Path
from mlwatch.commands.writing import write
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
write("new" * 1000, Path(sys.argv[1]))
"""
"""On a disk on which no file may grow beyond 1,000 bytes."""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_full_disk_leaves_the_earlier_document(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    path.write_text("the earlier one")
    ran = subprocess.run(
        [sys.executable, "-B", "-c", CODE, path], capture_output=True, text=True, check=False
    )
    assert "cannot write (File too large)" in ran.stderr
    assert path.read_text() == "the earlier one"
    assert names(tmp_path) == ["report.md"]


@pytest.mark.parametrize("before", [0o600, 0o640, 0o666])
def test_a_document_keeps_the_rights_of_the_earlier_one(tmp_path: Path, before: int) -> None:
    path = tmp_path / "report.md"
    path.write_text("the earlier one")
    path.chmod(before)
    with rights.private():
        write("new", path)
    assert (path.read_text(), mode(path), names(tmp_path)) == ("new", before, ["report.md"])


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "report.md", tmp_path / "link.md"
    link.symlink_to(Path("there") / "report.md")
    for text in ("one", "two"):
        write(text, link)
        assert (link.is_symlink(), target.read_text(), names(target.parent)) == (True, text, ["report.md"])


def test_other_names_of_a_file_name_the_new_document_too(tmp_path: Path) -> None:
    path, other = tmp_path / "report.md", tmp_path / "other.md"
    path.write_text("the earlier one")
    other.hardlink_to(path)
    write("new", path)
    assert other.read_text() == "new"


def test_a_pipe_gets_the_document(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True)
    write("new", pipe)
    assert reader.communicate()[0] == "new"
    assert names(tmp_path) == ["pipe"]


def test_a_device_without_room_is_told(tmp_path: Path) -> None:
    link = tmp_path / "full"
    link.symlink_to("/dev/full")
    for path in (Path("/dev/full"), link):
        with pytest.raises(InputError, match="cannot write \\(No space left on device\\)"):
            write("new", path)
    assert Path("/dev/full").is_char_device()


def test_the_output_that_is_open_is_the_file_that_gets_the_document(tmp_path: Path) -> None:
    path = tmp_path / "out.md"
    path.write_text("the earlier one")
    code = "from pathlib import Path; from mlwatch.commands.writing import write; write('new', Path('/dev/stdout'))"
    inode = path.stat().st_ino
    with path.open("a") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
    assert (path.read_text(), path.stat().st_ino) == ("new", inode)


def test_a_file_in_a_directory_that_takes_no_new_one_is_written_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, opening = tmp_path / "report.md", Path.open

    def refuse(self: Path, *words: Any, **named: Any) -> Any:
        if self.suffix == ".part":
            raise PermissionError(13, "Permission denied", str(self))
        return opening(self, *words, **named)

    path.write_text("the earlier one")
    inode = path.stat().st_ino
    monkeypatch.setattr(Path, "open", refuse)
    write("new", path)
    monkeypatch.undo()
    assert (path.read_text(), path.stat().st_ino) == ("new", inode)


def test_a_file_that_cannot_be_replaced_is_written_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(16, "Device or resource busy", str(self), None, str(target))

    path = tmp_path / "report.md"
    path.write_text("the earlier one")
    monkeypatch.setattr(Path, "replace", refuse)
    write("new", path)
    assert (path.read_text(), names(tmp_path)) == ("new", ["report.md"])


def test_a_file_with_more_rights_than_a_mode_is_written_in_place(tmp_path: Path) -> None:
    """Such as a list of who may read it, which another file would not have."""
    path = tmp_path / "report.md"
    path.write_text("the earlier one")
    try:
        os.setxattr(path, "user.kept", b"yes")
    except (AttributeError, OSError):
        pytest.skip("this file system has no attributes")
    write("new", path)
    assert (path.read_text(), os.getxattr(path, "user.kept"), names(tmp_path)) == (
        "new",
        b"yes",
        ["report.md"],
    )

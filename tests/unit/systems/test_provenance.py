"""Versions of code and data: a real git, and files as DVC 3.67 wrote them for these very contents."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from logfiles import lines, prediction

import mlwatch
from mlwatch.cli import main
from mlwatch.systems.dvc import data_version
from mlwatch.systems.git import code_version

if TYPE_CHECKING:
    from pathlib import Path

REFERENCE = b"age,city\n1,a\n2,b\n"
MD5 = "ca9a54d0d801e31af1a274d36fc244f4"
ADDED = f"outs:\n- md5: {MD5}\n  size: 17\n  hash: md5\n  path: reference.csv\n"
ADDED_DIRECTORY = """outs:
- md5: d0b0189dc7c434a5b07b428e7fa0fd80.dir
  size: 15
  nfiles: 2
  hash: md5
  path: data
"""
MANIFEST = (
    '[{"md5": "401b30e3b8b5d629635a5c613cdb7919", "relpath": "other.csv"}, '
    '{"md5": "8fbbbca2169e1767bb0249cd37f0c637", "relpath": "reference.csv"}]'
)
LOCK = f"""schema: '2.0'
stages:
  prepare:
    cmd: mkdir -p out && cp reference.csv out/reference.csv && cp reference.csv{" "}
      single.csv
    deps:
    - path: reference.csv
      hash: md5
      md5: {MD5}
      size: 17
    outs:
    - path: out
      hash: md5
      md5: 54d3ab89e2a82b111c84821436095b7b.dir
      size: 17
      nfiles: 1
    - path: single.csv
      hash: md5
      md5: {MD5}
      size: 17
"""


def git(directory: Path, *arguments: str) -> str:
    named = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", *named, *arguments], cwd=directory, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    for name in [name for name in os.environ if name in {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"}]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "-q")
    return tmp_path


def test_the_commit_and_whether_it_is_what_runs(repository: Path) -> None:
    assert code_version() is None
    file = repository / "model.py"
    file.write_text("a = 1\n")
    git(repository, "add", "model.py")
    git(repository, "commit", "-q", "-m", "First")
    commit = git(repository, "rev-parse", "HEAD")
    assert code_version() == commit
    (repository / "untracked.py").write_text("")
    assert code_version() == commit
    file.write_text("a = 2\n")
    assert code_version() == f"{commit}-dirty"
    git(repository, "checkout", "-q", "--detach")
    git(repository, "add", "model.py")
    assert code_version() == f"{commit}-dirty"


def test_the_repository_of_the_configuration_is_asked_where_the_current_directory_has_none(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = repository / "mlwatch.toml"
    config.write_text("")
    git(repository, "add", "mlwatch.toml")
    git(repository, "commit", "-q", "-m", "First")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    assert code_version() is None
    assert code_version(config) == git(repository, "rev-parse", "HEAD")


def test_a_current_directory_that_was_deleted_has_no_version_and_hides_no_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    logs, gone = tmp_path / "logs", tmp_path / "gone"
    logs.mkdir()
    gone.mkdir()
    (logs / "log.jsonl").write_text(lines(prediction(number) for number in range(40)))
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert code_version() is None
    assert main(["report", str(logs), "--db", ":memory:"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ingest"]["predictions"], found["provenance"]["git"]) == (40, None)
    assert main(["report", ".", "--db", ":memory:"]) == 2
    assert capsys.readouterr().err == (
        "mlwatch: the current directory was deleted: .: go to another one, or give absolute paths\n"
    )


def test_a_repository_cannot_make_git_run_a_program(repository: Path) -> None:
    program = repository / "program.sh"
    program.write_text(f"#!/bin/sh\ntouch {repository}/ran\n")
    program.chmod(0o755)
    git(repository, "add", "program.sh")
    git(repository, "commit", "-q", "-m", "First")
    git(repository, "config", "core.fsmonitor", str(program))
    assert code_version() is not None
    assert not (repository / "ran").exists()


def test_a_machine_without_git_has_no_version(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    assert code_version() is None


def test_an_added_file(tmp_path: Path) -> None:
    reference = tmp_path / "reference.csv"
    reference.write_bytes(REFERENCE)
    assert data_version(reference) is None
    (tmp_path / "reference.csv.dvc").write_text(ADDED)
    assert data_version(reference) == f"md5 {MD5} (reference.csv.dvc)"
    reference.write_bytes(REFERENCE.replace(b"\n", b"\r\n"))
    assert data_version(reference) == f"md5 {MD5} (reference.csv.dvc); the file is another, run dvc status"
    (tmp_path / "reference.csv.dvc").write_text(ADDED.replace("  hash: md5\n", ""))  # as DVC 2 hashed text
    assert data_version(reference) == f"md5 {MD5} (reference.csv.dvc)"


def test_a_file_that_links_into_the_cache(tmp_path: Path) -> None:
    cached = tmp_path / ".dvc" / "cache" / "files" / "md5" / MD5[:2] / MD5[2:]
    cached.parent.mkdir(parents=True)
    cached.write_bytes(REFERENCE)
    (tmp_path / "reference.csv").symlink_to(cached)
    (tmp_path / "reference.csv.dvc").write_text(ADDED)
    assert data_version(tmp_path / "reference.csv") == f"md5 {MD5} (reference.csv.dvc)"


def test_a_file_of_an_added_directory(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    reference = tmp_path / "data" / "reference.csv"
    reference.write_bytes(b"age,city\n3,c\n")
    (tmp_path / "data.dvc").write_text(ADDED_DIRECTORY)
    directory = "md5 d0b0189dc7c434a5b07b428e7fa0fd80.dir of data/ (data.dvc)"
    assert data_version(reference) == directory
    cache = tmp_path / ".dvc" / "cache" / "files" / "md5" / "d0"
    cache.mkdir(parents=True)
    (cache / "b0189dc7c434a5b07b428e7fa0fd80.dir").write_text(MANIFEST)
    assert data_version(reference) == "md5 8fbbbca2169e1767bb0249cd37f0c637 (data.dvc)"
    (cache / "b0189dc7c434a5b07b428e7fa0fd80.dir").write_text("[1, {}]")
    assert data_version(reference) == directory


def test_an_output_of_a_stage(tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_text(LOCK)
    (tmp_path / "out").mkdir()
    for name in ("single.csv", "out/reference.csv", "reference.csv"):
        (tmp_path / name).write_bytes(REFERENCE)
    assert data_version(tmp_path / "single.csv") == f"md5 {MD5} (dvc.lock)"
    assert data_version(tmp_path / "out" / "reference.csv") == (
        "md5 54d3ab89e2a82b111c84821436095b7b.dir of out/ (dvc.lock)"
    )
    assert data_version(tmp_path / "reference.csv") is None  # only a dependency


@pytest.mark.usual(2)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "outs: 7",
        "- a",
        "outs:\n- md5: [1]\n  path: reference.csv",
        "stages: {a: 1, b: {outs: {}}}",
        "\x00",
        "&a [*a]",
        "!!python/object/apply:os.system ['touch ran']",
        "[" * 20_000,
        "outs:\n- {md5: ../../.dir, path: .}",
    ],
)
def test_garbage_is_no_version(tmp_path: Path, text: str) -> None:
    reference = tmp_path / "reference.csv"
    reference.write_bytes(REFERENCE)
    (tmp_path / "reference.csv.dvc").write_text(text)
    found = data_version(reference)
    assert found is None or found.startswith("md5 ../../.dir of ")


def test_reports_say_where_the_numbers_come_from(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = repository / "logs"
    logs.mkdir()
    (logs / "log.jsonl").write_text(lines(prediction(number) for number in range(40)))
    (logs / "reference.csv").write_bytes(REFERENCE)
    (logs / "reference.csv.dvc").write_text(ADDED)
    git(repository, "add", "logs")
    git(repository, "commit", "-q", "-m", "First")
    commit, data = git(repository, "rev-parse", "HEAD"), f"md5 {MD5} (reference.csv.dvc)"
    with mlwatch.open(logs, db=":memory:") as watch:
        found = watch.snapshot().provenance
    assert (found["git"], found["data"]) == (commit, data)
    for form in ("json", "md", "html"):
        assert main(["report", str(logs), "--db", ":memory:", "--format", form]) == 0
        out = capsys.readouterr().out
        assert commit in out
        assert MD5 in out
        if form == "json":
            assert json.loads(out)["provenance"]["data"] == data

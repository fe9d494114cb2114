"""The command line in processes of its own: exit codes, one line on standard error, never a trace."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from logfiles import lines, prediction

from mlwatch.cli import main

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = str(ROOT / "sample_logs" / "predictions" / "2026-11-03T12.jsonl")
COMMAND = [sys.executable, "-m", "mlwatch"]
HEAVY = ("duckdb", "numpy", "pandas", "scipy", "textual", "httpx", "psutil", "watchfiles", "shtab")


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), **more}


def run(tmp_path: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env=environment(tmp_path, **more),
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["report", f"{SAMPLES}x"],
            f"mlwatch: no such file or directory: {SAMPLES}x: did you mean {SAMPLES}?\n",
        ),
        (["chekc"], "mlwatch: neither a command nor a path: chekc: did you mean check?\n"),
        (["help"], "mlwatch: neither a command nor a path: help: did you mean --help?\n"),
        (
            ["report", SAMPLES, "--formt=md"],
            "mlwatch: unknown argument --formt=md: command line: did you mean --format?\n",
        ),
        (["--bogus"], "mlwatch: unknown argument --bogus: command line: see mlwatch --help\n"),
        (
            [SAMPLES],
            "mlwatch: the app needs a terminal: standard output: use mlwatch report for a document\n",
        ),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, arguments: list[str], line: str) -> None:
    result = run(tmp_path, *arguments)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", line)


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "report", SAMPLES, "--db", ":memory:"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(tmp_path),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        complaints = process.stderr.read()
        assert process.wait(60) == 0
    assert complaints == b""


def test_an_interrupt_ends_quietly(tmp_path: Path) -> None:
    code = (
        "import os, signal, mlwatch.cli, mlwatch.commands.report as report\n"
        # whoever runs in the background hands on that interrupts are ignored
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "report.run = lambda _: os.kill(os.getpid(), signal.SIGINT)\n"
        f"raise SystemExit(mlwatch.cli.main(['report', {SAMPLES!r}]))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (128 + signal.SIGINT, "", "")


@pytest.mark.usual(1)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("sql", ["SELECT 1", "SELECT repeat('x', 1000000)"], ids=["flushed late", "at once"])
def test_a_full_disk_is_one_line(tmp_path: Path, sql: str) -> None:
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [*COMMAND, "query", SAMPLES, sql, "--db", ":memory:", "--format", "csv"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(tmp_path),
            check=False,
        )
    assert (result.returncode, result.stderr) == (2, "mlwatch: no space left: standard output: free some\n")


LIMITED = """
import resource, sys
from mlwatch.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
raise SystemExit(main(sys.argv[2:]))
"""
"""Runs a command line that may write files of so many bytes only, as if the disk were full."""


@pytest.mark.usual(1)
@pytest.mark.parametrize("size", [200_000, 300_000])
def test_a_store_on_a_full_disk_is_one_line(tmp_path: Path, size: int) -> None:
    pytest.importorskip("resource")
    store = tmp_path / "store.duckdb"
    result = subprocess.run(
        [sys.executable, "-B", "-c", LIMITED, str(size), "report", SAMPLES, "--db", str(store)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("mlwatch: the disk of the store is full: ")
    assert str(store) in result.stderr
    assert result.stderr.endswith(": free some, or give another file with --db\n")
    assert result.stderr.count("\n") == 1


@pytest.mark.usual(2)
@pytest.mark.parametrize(
    ("kind", "text", "what", "todo"),
    [
        (
            "IOException",
            "Could not read from file '/s.duckdb': Input/output error",
            "a file cannot be read or written",
            "check its permissions and its disk, or give another store with --db",
        ),
        (
            "TransactionException",
            "Failed to commit: Could not write file '/s.duckdb.wal': No space left on device",
            "the disk of the store is full",
            "free some, or give another file with --db",
        ),
        (
            "IOException",
            "Corrupt database file",
            "the store is damaged",
            "mlwatch store reset deletes it, and logs are read again; or give another file with --db",
        ),
    ],
)
def test_what_the_engine_cannot_do_with_a_file_is_one_line(
    kind: str, text: str, what: str, todo: str
) -> None:
    code = (
        "import duckdb, mlwatch.cli, mlwatch.commands.report as report\n"
        f"def fail(_): raise duckdb.{kind}({text!r})\n"
        "report.run = fail\n"
        f"raise SystemExit(mlwatch.cli.main(['report', {SAMPLES!r}]))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"mlwatch: {what}: {text}: {todo}\n"


def test_closed_output_is_one_line(tmp_path: Path) -> None:
    code = f"exec {sys.executable} -m mlwatch report {SAMPLES} --db :memory: >&-"
    result = subprocess.run(
        ["/bin/sh", "-c", code], stderr=subprocess.PIPE, text=True, env=environment(tmp_path), check=False
    )
    assert result.returncode == 2
    assert result.stderr.startswith("mlwatch: there is nowhere to write to")
    assert result.stderr.count("\n") == 1


@pytest.mark.deep
def test_an_output_of_few_characters_gets_escapes(tmp_path: Path) -> None:
    result = run(tmp_path, "query", SAMPLES, "SELECT 'é→' AS x", "--db", ":memory:", PYTHONIOENCODING="ascii")
    assert (result.returncode, result.stdout) == (0, "x\n--\n\\xe9->\n")


def test_an_unexpected_error_is_one_line_unless_debugging(tmp_path: Path) -> None:
    code = (
        "import sys, mlwatch.cli, mlwatch.commands.report as report\n"
        "def fail(_): raise RuntimeError('surprise\\x1b[31m\\nmore')\n"
        "report.run = fail\n"
        f"raise SystemExit(mlwatch.cli.main(['report', {SAMPLES!r}, *sys.argv[1:]]))"
    )
    quiet = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert quiet.returncode == 2
    assert quiet.stderr.startswith("mlwatch: unexpected RuntimeError: surprise\\x1b[31m more: ")
    assert quiet.stderr.endswith("--debug shows all of it\n")
    loud = subprocess.run(
        [sys.executable, "-c", code, "--debug"], capture_output=True, text=True, check=False
    )
    assert loud.returncode != 0
    assert "Traceback" in loud.stderr


@pytest.mark.parametrize("module", ["mlwatch", "mlwatch.cli", "mlwatch.commands"])
def test_the_front_door_is_light(module: str) -> None:
    code = f"import sys, {module}; print(*sorted(set(sys.modules) & set({HEAVY})))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


def test_version_imports_nothing_heavy() -> None:
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "mlwatch", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "mlwatch 0.1.0\n"
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in result.stderr.splitlines()}
    assert "argparse" in imported
    assert not imported & {*HEAVY, "importlib_metadata", "platformdirs"}


def test_absurd_numbers_bring_no_warnings(tmp_path: Path) -> None:
    record = (
        '{{"timestamp":"2026-11-03T10:{0:02d}:00Z","id":"{0}","version":"v{1}","prediction":{0},"label":1,'
        '"x":{2}}}\n'
    )
    text = "".join(record.format(number, number % 2, 1.7e308 * (number % 3 - 1)) for number in range(60))
    (tmp_path / "log.jsonl").write_text(text)
    result = run(tmp_path, "report", ".", "--db", ":memory:")
    assert (result.returncode, result.stderr) == (0, "")
    loud = subprocess.run(
        [sys.executable, "-W", "default", *COMMAND[1:], "report", str(tmp_path), "--db", ":memory:"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "RuntimeWarning" not in loud.stderr


def test_bytes_that_are_no_text_are_one_line(tmp_path: Path) -> None:
    result = subprocess.run(
        [*COMMAND, "query", SAMPLES, b"SELECT \xff", "--db", ":memory:"],
        capture_output=True,
        text=True,
        env=environment(tmp_path),
        check=False,
    )
    assert (result.returncode, result.stderr) == (2, "mlwatch: cannot read the SQL: query: it is not UTF-8\n")


NO_UTF8 = {"LC_ALL": "C", "LANG": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


@pytest.fixture
def accented(tmp_path: Path) -> Path:
    """A log of a model whose name is beyond ASCII."""
    path = tmp_path / "log.jsonl"
    path.write_text(
        lines(prediction(number, model="größe", version=f"vä{number % 2 + 1}") for number in range(400))
    )
    return path


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("command", "more", "within"),
    [
        ("check", ["--format", "junit"], 'name="rollout of größe"'),
        ("check", ["--format", "github"], "größe"),
        ("export", ["--to", "prometheus"], 'model="größe"'),
        ("report", ["--format", "md"], "größe"),
        ("report", ["--format", "html"], "größe"),
        ("query", ["SELECT DISTINCT model FROM predictions", "--format", "csv"], "model\ngröße\n"),
        ("init", ["--stdout"], 'baseline = "vä1"'),
    ],
)
def test_a_document_is_utf8_whatever_the_locale(
    tmp_path: Path, accented: Path, command: str, more: list[str], within: str
) -> None:
    done = subprocess.run(
        [*COMMAND, command, str(accented), *more, "--db", ":memory:"],
        capture_output=True, timeout=60, env=environment(tmp_path, **NO_UTF8), check=False,
    )  # fmt: skip
    assert within in done.stdout.decode("utf-8"), done.stderr
    assert b"\\u" not in done.stdout


@pytest.mark.deep
def test_text_for_people_is_what_the_locale_can_write(tmp_path: Path, accented: Path) -> None:
    result = run(tmp_path, "check", str(accented), "--db", ":memory:", **NO_UTF8)
    assert "gr\\xf6\\xdfe: v\\xe42 against v\\xe41" in result.stdout
    assert re.search(r" -\d", result.stdout)
    assert "\\u" not in result.stdout


@pytest.mark.parametrize(
    "error",
    [
        duckdb.OutOfMemoryException("Failed to allocate block of 262144 bytes (bad allocation)"),
        duckdb.OutOfMemoryException("Out of Memory Error: Allocation failure"),
        MemoryError(),
    ],
)
def test_too_little_memory_is_one_line(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> int:
        raise error

    monkeypatch.setattr("mlwatch.commands.report.run", fail)
    assert main(["report", SAMPLES]) == 2
    assert capsys.readouterr().err == (
        "mlwatch: the system gives mlwatch too little memory: free some, "
        "or let it have at least 1.5 GB of address space (ulimit -v)\n"
    )


@pytest.mark.deep
def test_sql_is_utf8_whatever_the_locale(tmp_path: Path) -> None:
    sql = ["query", SAMPLES, "SELECT 'é' AS x", "--format", "csv", "--db", ":memory:"]
    done = subprocess.run(
        [*COMMAND, *sql], capture_output=True, check=False, env=environment(tmp_path, **NO_UTF8)
    )
    assert (done.stdout.decode(), done.stderr) == ("x\né\n", b"")

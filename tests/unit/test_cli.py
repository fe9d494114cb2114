"""The command line as a user meets it: one line for a mistake, exit codes, quick start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlwatch.cli import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    directory = tmp_path / "logs"
    directory.mkdir()
    lines = [
        {
            "timestamp": f"2026-11-03T10:{i % 60:02d}:00Z",
            "id": f"r{i}",
            "model": "m",
            "version": "v1" if i % 2 else "v2",
            "prediction": i % 2,
            "label": (i // 2) % 2,
            "features": {"age": i, "city": "a" if i % 3 else "b"},
            "latency_ms": 1.5,
        }
        for i in range(60)
    ]
    (directory / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return directory


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize("command", [[], ["report"], ["check"], ["drift"], ["store", "info"]], ids=" ".join)
@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://u:hunter2@host:8080/t?token=hunter2", "http://host: "),
        ("https://u:hunter2@host/" + "t" * 300, "https://host: "),
        ("s3://u:hunter2@bucket/t", "s3://bucket: "),
        ("http://u:hun/ter2@host", "http://u: "),
        ("http://[u:hunter2@host", "http://: "),
    ],
)
def test_a_url_in_place_of_a_path_is_not_repeated_with_its_password(
    capsys: pytest.CaptureFixture[str], command: list[str], url: str, shown: str
) -> None:
    code, out, complaint = run(capsys, *command, url)
    assert (code, out) == (2, "")
    assert complaint.startswith(
        f"mlwatch: a URL where a path is wanted: {shown}give a file, or the directory"
    )
    assert ("mlwatch probe" in complaint) == url.startswith("http")
    assert "ter2" not in complaint


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["report", "/no/such/place"], ["no such file or directory", "/no/such/place"]),
        (["repot"], ["repot", "did you mean report"]),
        (["report"], ["the following arguments are required: PATH", "--help"]),
        (["report", ".", "--format", "xml"], ["invalid choice", "--help"]),
        (["report", ".", "--window", "soon"], ["a duration is a number and a unit"]),
        (
            ["report", ".", "--since", "2026-01-02", "--until", "2026-01-01"],
            ["--since is not before --until"],
        ),
        (["report", ".", "--since", "2026-01-02", "--window", "1h"], ["exclude each other"]),
        (["store", "info", "."], ["no store yet"]),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    parts: list[str],
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("mlwatch: ")
    assert err.count("\n") == 1
    for part in parts:
        assert part in err


def test_a_directory_without_logs_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello\n")
    code, _, err = run(capsys, "report", str(tmp_path), "--db", ":memory:")
    assert code == 2
    assert "no prediction logs" in err
    assert "notes.txt is not read" in err


def test_hostile_names_reach_the_terminal_as_plain_text(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, _, err = run(capsys, "report", str(tmp_path / "a\x1b[31m\nb"))
    assert code == 2
    assert "\x1b" not in err
    assert err.count("\n") == 1


def test_a_wrong_configuration_names_file_line_and_key(
    capsys: pytest.CaptureFixture[str], logs: Path
) -> None:
    (logs / "mlwatch.toml").write_text("[roles]\ntimestamp = 'ts'\n\n[rolout]\nmode = 'canary'\n")
    code, _, err = run(capsys, "report", str(logs), "--db", ":memory:")
    assert code == 2
    assert "rolout" in err
    assert "mlwatch.toml" in err
    assert "4" in err
    assert "rollout" in err


def test_report_writes_the_same_document_to_a_file(
    capsys: pytest.CaptureFixture[str], logs: Path, tmp_path: Path
) -> None:
    code, out, _ = run(capsys, "report", str(logs), "--db", ":memory:")
    assert code == 0
    printed = json.loads(out)
    assert printed["ingest"]["predictions"] == 60
    assert printed["models"]["m"]["versions"]["v1"]["confusion"] == {
        "labels": ["0", "1"],
        "counts": [[0, 15], [0, 15]],
    }
    target = tmp_path / "report.json"
    assert run(capsys, "report", str(logs), "--db", ":memory:", "-o", str(target))[0] == 0
    written = json.loads(target.read_text())
    assert written["models"] == printed["models"]


def test_a_range_narrows_the_report(capsys: pytest.CaptureFixture[str], logs: Path) -> None:
    arguments = ("--db", ":memory:", "--since", "2026-11-03T10:10:00Z", "--until", "2026-11-03T10:20:00Z")
    code, out, _ = run(capsys, "report", str(logs), *arguments)
    assert code == 0
    versions = json.loads(out)["models"]["m"]["versions"]
    assert sum(version["predictions"] for version in versions.values()) == 10


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("bounds", "start", "end", "predictions"),
    [
        (("--since", "2026-11-03T10:10Z"), "10:10:00Z", "10:59:00.000001Z", 50),
        (("--since", "2026-11-03T10:10:30Z"), "10:10:00Z", "10:59:00.000001Z", 50),
        (("--since", "2026-11-03T10:10Z", "--until", "2026-11-03T10:20:30Z"), "10:10:00Z", "10:20:00Z", 10),
        (("--since", "2026-11-03T11:30Z"), "11:30:00Z", "11:30:00.000001Z", 0),
    ],
)
def test_a_range_begins_where_it_is_told_and_ends_with_the_newest_data(
    capsys: pytest.CaptureFixture[str],
    logs: Path,
    bounds: tuple[str, ...],
    start: str,
    end: str,
    predictions: int,
) -> None:
    code, out, _ = run(capsys, "report", str(logs), "--db", ":memory:", *bounds)
    assert code == 0
    document = json.loads(out)
    assert document["range"] == {"start": f"2026-11-03T{start}", "end": f"2026-11-03T{end}"}
    assert sum(each["predictions"] for each in document["models"]["m"]["versions"].values()) == predictions


def test_markdown_says_the_totals(capsys: pytest.CaptureFixture[str], logs: Path) -> None:
    code, out, _ = run(capsys, "report", str(logs), "--db", ":memory:", "--format", "md")
    assert code == 0
    assert "60 records read: 60 predictions, 60 outcomes" in out
    assert "| Predictions | 30 | 30 |" in out


def test_query_prints_rows_and_reaches_nothing_else(capsys: pytest.CaptureFixture[str], logs: Path) -> None:
    store = ("query", str(logs), "--db", ":memory:")
    code, out, _ = run(capsys, *store, "SELECT version, COUNT(*) AS n FROM predictions GROUP BY 1 ORDER BY 1")
    assert code == 0
    assert out.split() == ["version", "n", "-------", "--", "v1", "30", "v2", "30"]
    for statement in (
        "DELETE FROM predictions",
        "SELECT 1; SELECT 2",
        f"SELECT * FROM read_text('{logs / 'log.jsonl'}')",
        "ATTACH 'other.db'",
        "COPY predictions TO 'out.csv'",
        "SELECT * FROM nothing",
    ):
        code, out, err = run(capsys, *store, statement)
        assert (code, out) == (2, ""), statement
        assert err.startswith("mlwatch: ")
        assert err.count("\n") == 1


def test_init_writes_a_configuration_that_reads_back(capsys: pytest.CaptureFixture[str], logs: Path) -> None:
    from mlwatch.config import load

    assert run(capsys, "init", str(logs), "--db", ":memory:")[0] == 0
    config = load(logs / "mlwatch.toml")
    assert (config.roles.timestamp, config.roles.id, config.roles.label) == ("timestamp", "id", "label")
    assert (config.rollout.baseline, config.rollout.candidate) == ("v1", "v2")
    code, _, err = run(capsys, "init", str(logs), "--db", ":memory:")
    assert code == 2
    assert "--force" in err


def test_store_info_vacuum_and_reset(capsys: pytest.CaptureFixture[str], logs: Path, tmp_path: Path) -> None:
    database = tmp_path / "store.duckdb"
    assert run(capsys, "report", str(logs), "--db", str(database))[0] == 0
    code, out, _ = run(capsys, "store", "info", str(logs), "--db", str(database))
    assert code == 0
    assert "log.jsonl" in out
    assert run(capsys, "store", "vacuum", str(logs), "--db", str(database))[0] == 0
    code, out, _ = run(capsys, "report", str(logs), "--db", str(database))
    assert json.loads(out)["ingest"]["predictions"] == 60
    assert run(capsys, "store", "reset", str(logs), "--db", str(database))[0] == 2
    assert database.exists()
    assert run(capsys, "store", "reset", str(logs), "--db", str(database), "--yes")[0] == 0
    assert not database.exists()


def test_version_and_import_stay_light() -> None:
    code = (
        "import sys, mlwatch, mlwatch.cli\n"
        "try: mlwatch.cli.main(['--version'])\n"
        "except SystemExit as stop: assert stop.code == 0\n"
        "heavy = {'duckdb', 'numpy', 'pandas', 'scipy', 'textual', 'httpx', 'psutil', 'watchfiles'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "mlwatch 0.1.0"


def test_a_session_opens_without_numpy_pandas_or_textual(logs: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from mlwatch.session import Options, Session\n"
        f"session = Session(Options(Path({str(logs)!r}), db=':memory:'))\n"
        "heavy = {'numpy', 'pandas', 'scipy', 'textual', 'httpx'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "session.stop()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_app_needs_a_terminal(capsys: pytest.CaptureFixture[str], logs: Path) -> None:
    code, _, err = run(capsys, str(logs))
    assert code == 2
    assert "needs a terminal" in err


def test_matrices_stay_in_one_thread_where_nobody_says_otherwise() -> None:
    program = (
        "import mlwatch.cli\n"
        "try: mlwatch.cli.main(['--version'])\n"
        "except SystemExit: pass\n"
        "import numpy, threadpoolctl\n"
        "print({found['num_threads'] for found in threadpoolctl.threadpool_info()})\n"
    )
    without = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    for chosen in (None, str(min(2, os.cpu_count() or 1))):
        environment = without if chosen is None else {**without, "OPENBLAS_NUM_THREADS": chosen}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == f"{{{chosen or 1}}}"

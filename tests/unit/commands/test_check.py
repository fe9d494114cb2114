"""`mlwatch check` on the sample rollout, and on what is not enough to judge."""

from __future__ import annotations

import gzip
import json
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency
from scipy.stats.contingency import relative_risk

import mlwatch
from mlwatch.cli import main
from mlwatch.commands.check import PAUSE_S, _endpoint_finding
from mlwatch.snapshot.health_types import Endpoint, Replica
from mlwatch.snapshot.types import Alert, Feed, Ingest, Snapshot
from mlwatch.words import percent

if TYPE_CHECKING:
    from logfiles import SampleStore

    from mlwatch.snapshot.types import Rollout

ROOT = Path(__file__).resolve().parents[3]
LOGS = str(ROOT / "sample_logs")
STRATUM = 5
"""Minutes of a stratum: of the sparse sample logs, single minutes hold too few requests."""
BEFORE = "2026-11-03T16:59:00Z"
NOBODY = "http://127.0.0.1:9"
"""Nothing listens there."""


@pytest.fixture(scope="module")
def store(sample_store: SampleStore) -> str:
    """A store that has read the sample logs: most tests ask it something else."""
    return str(sample_store())


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["check", *arguments, *(() if "--db" in arguments else ("--db", ":memory:"))])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def write(
    directory: Path, versions: tuple[str, ...], rows: int = 400, wrong: float = 0.0, both: float = 0.0
) -> Path:
    directory.mkdir(exist_ok=True)
    lines = []
    for i in range(rows):
        version = versions[i % len(versions)]
        label = (i // 2) % 2
        bad = (version == "v2" and (i % 100) < 100 * wrong) or (i // 2 % 10) < 10 * both
        time = (datetime(2026, 11, 3, 10, tzinfo=UTC) + timedelta(minutes=i)).isoformat()
        record = {"timestamp": time, "id": f"r{i}", "model": "m", "version": version, "latency_ms": 5.0}
        lines.append(json.dumps({**record, "prediction": 1 - label if bad else label, "label": label}))
    (directory / "log.jsonl").write_text("\n".join(lines) + "\n")
    return directory


def test_the_planted_fault_is_found(capsys: pytest.CaptureFixture[str], store: str) -> None:
    code, out, _ = run(capsys, LOGS, "--db", store)
    assert code == 1
    assert out.startswith("ROLL BACK  flight-delay: v2 against v1")
    assert "accuracy of v2 is 4.1 points below v1's" in out
    assert "p99 latency of v2 is" in out


def test_before_the_fault_it_holds(capsys: pytest.CaptureFixture[str], store: str) -> None:
    code, out, _ = run(capsys, LOGS, "--db", store, "--at", BEFORE)
    assert code == 3
    assert out.startswith("HOLD")


@pytest.fixture(scope="module")
def rows(store: str) -> pd.DataFrame:
    """The stored requests of the sample logs with their labels."""
    with mlwatch.open(LOGS, db=store) as watch:
        found = watch.frame("predictions")
    found["minute"] = pd.to_datetime(found.ts).dt.floor("min")
    return found


@pytest.fixture(scope="module")
def rollout(store: str) -> Rollout:
    with mlwatch.open(LOGS, db=store) as watch:
        (found,) = watch.snapshot().rollouts
    return found


def test_logs_without_the_later_records_hold_too(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, rows: pd.DataFrame
) -> None:
    known = rows[rows.ts < datetime.fromisoformat(BEFORE).replace(tzinfo=None)]
    known = known.assign(
        timestamp=known.ts.astype(str) + "Z", status=known.failed.map({True: 500, False: 200})
    )
    cut = tmp_path / "logs"
    cut.mkdir()
    names = ["timestamp", "id", "model", "version", "prediction", "label", "latency_ms", "status"]
    known[names].to_json(cut / "log.jsonl", orient="records", lines=True)
    code, out, _ = run(capsys, str(cut))
    assert code == 3
    assert out.startswith("HOLD  flight-delay: v2 against v1")
    assert "worse" not in out


def begin(rollout: Rollout) -> datetime:
    assert rollout.since is not None
    return rollout.since.replace(tzinfo=None)


def known_numbers(*values: float | None) -> tuple[float, ...]:
    assert None not in values
    return tuple(value for value in values if value is not None)


def shared_strata(table: pd.DataFrame, values: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return sums and counts by version in the strata that both have, which are 5 minutes wide here."""
    grouped = values.groupby([table.minute.dt.floor(f"{STRATUM}min"), table.version])
    counts, sums = grouped.count().unstack(fill_value=0), grouped.sum().unstack(fill_value=0)
    both = (counts.v1 > 0) & (counts.v2 > 0)
    return sums[both], counts[both]


def mantel_haenszel(events: pd.DataFrame, n: pd.DataFrame) -> float:
    """Return the stratified rate ratio of v2 to v1 (Mantel and Haenszel 1959)."""
    total = n.v1 + n.v2
    return float((events.v2 * n.v1 / total).sum() / (events.v1 * n.v2 / total).sum())


def test_the_accuracy_lost_is_that_of_the_raw_rows(rows: pd.DataFrame, rollout: Rollout) -> None:
    served = rows[~rows.failed & rows.label.notna() & (rows.minute >= begin(rollout))]
    wrong, n = shared_strata(served, (served.label != served.prediction).astype(int))
    rate = wrong.sum() / n.sum()
    metric = rollout.metrics["accuracy"]
    assert (metric.baseline, metric.candidate) == pytest.approx((1 - rate["v1"], 1 - rate["v2"]), rel=1e-12)
    # the candidate's share began small: what is lost is that of the same minutes, weighed as their rate ratio is
    more = wrong["v2"] / n["v2"] - wrong["v1"] / n["v1"]
    lost = float(np.average(more, weights=n["v1"] * n["v2"] / (n["v1"] + n["v2"])))
    assert metric.difference == pytest.approx(-lost, rel=1e-9)
    right = n.sum() - wrong.sum()
    assert chi2_contingency(np.array([wrong.sum(), right])).pvalue < 1e-6  # one look at the end agrees
    low, high, limit = known_numbers(metric.low, metric.high, metric.limit)
    assert low < -lost < high < limit


def test_the_error_ratio_is_that_of_the_raw_rows(rows: pd.DataFrame, rollout: Rollout) -> None:
    sent = rows[rows.minute >= begin(rollout)]
    failed, n = shared_strata(sent, sent.failed.astype(int))
    metric = rollout.metrics["error_rate"]
    assert metric.ratio == pytest.approx(mantel_haenszel(failed, n), rel=1e-9)
    counts = [int(column[version].sum()) for version in ("v2", "v1") for column in (failed, n)]
    interval = relative_risk(*counts).confidence_interval(0.95)
    low, high = known_numbers(metric.ratio_low, metric.ratio_high)
    assert low < interval.low  # valid at every look is wider than valid at one
    assert interval.high < high


def test_the_slow_tail_is_that_of_the_raw_rows(rows: pd.DataFrame, rollout: Rollout) -> None:
    sent = rows[rows.minute >= begin(rollout)]
    _, n = shared_strata(sent, sent.latency_ms)
    shared = sent[sent.minute.dt.floor(f"{STRATUM}min").isin(n.index)]
    exact = shared.groupby("version").latency_ms.quantile(0.99)
    metric = rollout.metrics["latency_p99"]
    assert metric.status == "worse"
    assert (metric.baseline, metric.candidate) == pytest.approx((exact["v1"], exact["v2"]), rel=0.03)


def test_a_harmless_candidate_is_promoted(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    logs = write(tmp_path / "logs", ("v1", "v2"), rows=1400, both=0.2)
    (logs / "mlwatch.toml").write_text(
        "[rollout]\nmetrics = ['accuracy', 'error_rate']\nmin_time = '1h'\nmargins = {accuracy = 0.1}\n"
    )
    code, out, _ = run(capsys, str(logs))
    assert code == 3  # no failed request at all: too few to rule out one in a thousand
    assert "error rate" in out
    (logs / "mlwatch.toml").write_text("[rollout]\nmetrics = ['accuracy']\nmargins = {accuracy = 0.1}\n")
    code, out, _ = run(capsys, str(logs))
    assert code == 0
    assert out.startswith("PROMOTE  m: v2 against v1, canary")
    code, out, _ = run(capsys, str(logs), "--format", "junit")
    assert code == 0
    assert ET.fromstring(out).get("failures") == "0"


def test_a_promotion_waits_for_the_minimum_time(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    logs = write(tmp_path / "logs", ("v1", "v2"), rows=1400, both=0.2)
    (logs / "mlwatch.toml").write_text(
        "[rollout]\nmetrics = ['accuracy']\nmin_time = '3d'\nmargins = {accuracy = 0.1}\n"
    )
    code, out, _ = run(capsys, str(logs))
    assert code == 3
    assert "both versions ran together for only 23 hours of at least 3 days" in out


def test_a_single_version_is_a_hold(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = run(capsys, str(write(tmp_path / "logs", ("v1",))))
    assert code == 3
    assert "only one version has traffic (v1)" in out


def test_a_candidate_that_stopped_is_a_hold(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    logs = write(tmp_path / "logs", ("v1", "v2"))
    lines = (logs / "log.jsonl").read_text().splitlines(keepends=True)
    (logs / "log.jsonl").write_text("".join(line for line in lines[:40] + lines[40::2]))
    code, out, _ = run(capsys, str(logs))
    assert code == 3
    assert "no candidate gets traffic any more (versions v1, v2): name one with --candidate" in out
    code, out, _ = run(capsys, str(logs), "--candidate", "v2")
    assert code == 3
    assert "v2 has had no requests for" in out


def test_an_unknown_version_is_a_hold_that_names_the_known(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, _ = run(capsys, str(write(tmp_path / "logs", ("v1", "v2"))), "--candidate", "v9")
    assert code == 3
    assert "version v9 has no traffic; the logs know v1, v2" in out


@pytest.mark.parametrize(
    ("config", "part"),
    [
        ("[rollout]\nmargins = {accuracy = -1}\n", "accuracy"),
        (
            "[rollout]\nmetrics = ['acuracy']\n",
            "mlwatch.toml, line 1, rollout.metrics: did you mean accuracy?",
        ),
        ("[[rule]]\nmetric = 'speed'\nwhen = '> 1'\n", "mlwatch.toml, line 1, rule[1]: one of "),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, config: str, part: str
) -> None:
    logs = write(tmp_path / "logs", ("v1", "v2"))
    (logs / "mlwatch.toml").write_text(config)
    code, _, err = run(capsys, str(logs))
    assert code == 2
    assert part in err
    assert err.count("\n") == 1


def test_rules_are_findings_of_their_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    logs = write(tmp_path / "logs", ("v1", "v2"), wrong=0.5)
    rules = [
        ("accuracy", "drop > 10%", "candidate"),
        ("latency_p95", "< 100", "candidate"),
        ("roc_auc", "< 1", "v1"),
    ]
    text = "".join(f"[[rule]]\nmetric = '{m}'\nwhen = '{w}'\nversion = '{v}'\n" for m, w, v in rules)
    (logs / "mlwatch.toml").write_text(text)
    code, out, _ = run(capsys, str(logs), "--format", "json")
    assert code == 1
    outcomes = {item["name"]: item["outcome"] for item in json.loads(out)["findings"][1:]}
    assert outcomes == {
        "accuracy drop > 10% (m v2)": "fail",
        "latency_p95 < 100 (m v2)": "fail",
        "roc_auc < 1 (m v1)": "hold",
    }


def test_a_broken_rule_that_only_informs_says_that_it_is_broken(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    logs = write(tmp_path / "logs", ("v1", "v2"))
    rule = "[[rule]]\nmetric = 'latency_p95'\nwhen = '< 100'\nversion = 'v1'\nseverity = 'info'\nfor = '1m'\n"
    (logs / "mlwatch.toml").write_text(rule)
    _, out, _ = run(capsys, str(logs), "--format", "json")
    (found,) = (item for item in json.loads(out)["findings"] if item["name"] == "latency_p95 < 100 (m v1)")
    assert found["outcome"] == "pass"
    assert found["message"].startswith("broken, which only informs: latency_p95 of v1 is now ")
    assert found["message"].endswith(" for 1 minute")


def test_formats_are_well_formed(capsys: pytest.CaptureFixture[str], store: str) -> None:
    code, out, _ = run(capsys, LOGS, "--db", store, "--format", "junit")
    assert code == 1
    suite = ET.fromstring(out)
    assert (suite.get("tests"), suite.get("failures")) == (
        "3",
        "1",
    )  # the verdict, and a default rule a version
    _, out, _ = run(capsys, LOGS, "--db", store, "--format", "github")
    assert out.startswith("::error title=rollout of flight-delay::rollback: ")
    assert out.count("\n") == 3
    _, out, _ = run(capsys, LOGS, "--db", store, "--format", "markdown")
    assert out.startswith("## Roll back: flight-delay: v2 against v1, canary\n\n| metric |")
    assert "| accuracy | 89." in out
    _, out, _ = run(capsys, LOGS, "--db", store, "--format", "json")
    found = json.loads(out)
    assert (found["schema"], found["outcome"]) == ("mlwatch.check/1", "fail")
    assert found["rollouts"][0]["metrics"]["accuracy"]["status"] == "worse"


def test_the_summary_is_added_to_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    logs = write(tmp_path / "logs", ("v1", "v2"))
    run(capsys, str(logs), "--summary", str(summary))
    text = summary.read_text()
    assert text.startswith("before\n## ")
    assert "m: v2 against v1" in text


@pytest.mark.deep
def test_the_report_beside_it_is_of_what_was_judged(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    logs, page = write(tmp_path / "logs", ("v1", "v2", "v3")), tmp_path / "report.html"
    chosen = ("--baseline", "v2", "--candidate", "v3", "--at", "2026-11-03T14:00Z")
    _, out, _ = run(capsys, str(logs), *chosen, "--html", str(page))
    assert out.startswith("HOLD  m: v3 against v2")
    assert "v3 against v2" in page.read_text()
    assert "2026-11-03 10:00 to 2026-11-03 14:00 UTC" in page.read_text()
    code, _, _ = run(capsys, str(logs), "--at", "2020-01-01", "--html", str(page))
    assert code == 3
    assert page.read_text().startswith("<!doctype html>")


@pytest.mark.usual(2)
@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--wait", "5m", "--at", BEFORE), "a moment of the past never changes"),
        (("--at", BEFORE, "--endpoint", NOBODY), "a server cannot be asked about a moment of the past"),
        (("--until", BEFORE, "--endpoint", NOBODY), "leave --at, --until TIME or --endpoint out"),
        (("--until", "promote"), "needs --wait"),
        (("--wait", "soon"), "--wait"),
        (("--at", "yesterdayish"), "give a time"),
        (("--summary", "/nowhere/summary.md"), "cannot write the summary"),
        (("--html", "/nowhere/report.html"), "give another file with --html"),
    ],
)
def test_wrong_arguments_are_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: tuple[str, ...], part: str
) -> None:
    code, _, err = run(capsys, str(write(tmp_path / "logs", ("v1", "v2"))), *arguments)
    assert code == 2
    assert part in err
    assert err.count("\n") == 1


def test_no_data_is_a_hold(capsys: pytest.CaptureFixture[str], tmp_path: Path, store: str) -> None:
    code, out, _ = run(capsys, str(tmp_path))
    assert (code, out) == (3, "HOLD  data: no prediction logs: no file with records below it\n")
    code, out, _ = run(capsys, LOGS, "--db", store, "--at", "2026-11-01T00:00:00Z")
    assert (code, out) == (3, "HOLD  data: no predictions before 2026-11-01 00:00 UTC\n")


def test_records_that_are_all_rejected_are_a_hold_that_says_why(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    at = '"timestamp": "2026-11-03T10:00:00Z"'
    (tmp_path / "log.jsonl").write_text(f'{{"event": "buy", {at}}}\n{{"event": "sell", {at}}}\nnothing\n')
    code, out, _ = run(capsys, str(tmp_path))
    why = '3 are rejected, most often with "an outcome or event without a request id"'
    assert (code, out) == (3, f"HOLD  data: 3 records read, but no predictions of the model: {why}\n")


@pytest.mark.usual(1)
@pytest.mark.parametrize(("rejected", "code"), [(15, 0), (60, 3)])
def test_many_rejected_records_are_said_and_hold(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, rejected: int, code: int
) -> None:
    logs = write(tmp_path / "logs", ("v1",))
    (logs / "mlwatch.toml").write_text("[[rule]]\nmetric = 'error_rate'\nwhen = '> 5%'\n")
    good = (logs / "log.jsonl").read_text()
    timeless = "".join(f'{{"request_id": "n{i}", "status": 500}}\n' for i in range(rejected))
    (logs / "log.jsonl").write_text(good + timeless)
    share = percent(rejected / (good.count("\n") + rejected))
    said = f"HOLD  quality: rejected records: {rejected} records ({share}) are rejected: the quarantine says"
    found, out, _ = run(capsys, str(logs))
    assert (found, said in out) == (code, code == 3)


def test_a_file_that_cannot_be_read_is_a_hold(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    logs = write(tmp_path / "logs", ("v1",))
    (logs / "mlwatch.toml").write_text("[[rule]]\nmetric = 'error_rate'\nwhen = '> 5%'\n")
    assert run(capsys, str(logs))[0] == 0
    older = (logs / "log.jsonl").read_bytes().replace(b'"r', b'"s')
    (logs / "old.jsonl.gz").write_bytes(gzip.compress(older)[:300])
    code, out, _ = run(capsys, str(logs))
    assert code == 3
    assert "HOLD  logs: old.jsonl.gz is not read to its end: the compressed data is damaged" in out


@pytest.mark.deep
def test_a_file_that_is_gone_holds_no_more(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    logs, store = write(tmp_path / "logs", ("v1",)), str(tmp_path / "store.duckdb")
    (logs / "mlwatch.toml").write_text("[[rule]]\nmetric = 'error_rate'\nwhen = '> 5%'\n")
    cut = logs / "old.jsonl.gz"
    cut.write_bytes(gzip.compress((logs / "log.jsonl").read_bytes().replace(b'"r', b'"s'))[:300])
    for _ in range(2):
        assert run(capsys, str(logs), "--db", store)[0] == 3
    cut.unlink()
    code, out, _ = run(capsys, str(logs), "--db", store)
    assert (code, "old.jsonl.gz" in out) == (0, False)


def test_a_wait_without_news_ends_in_a_hold(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = run(capsys, str(write(tmp_path / "logs", ("v1", "v2"))), "--wait", "10ms")
    assert code == 3
    assert err.startswith("mlwatch: waiting, up to 0.0 more minutes: rollout of m: hold: ")
    assert err.count("\n") == 1


def test_a_wait_ends_with_the_verdict(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = write(tmp_path / "logs", ("v1", "v2"))

    def arrive(seconds: float) -> None:
        if seconds < PAUSE_S:
            return  # somebody else waits, such as for git
        (logs / "log.jsonl").unlink()
        write(logs, ("v1", "v2"), rows=800, wrong=0.9)
        (logs / "log.jsonl").rename(logs / "more.jsonl")

    monkeypatch.setattr("mlwatch.commands.check.pause", arrive)
    code, out, err = run(capsys, str(logs), "--wait", "10m", "--until", "decided")
    assert code == 1, err
    assert "accuracy of v2 is" in out


@pytest.mark.deep
def test_a_dead_server_fails_whatever_the_range_begins_with(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    logs = write(tmp_path / "logs", ("v1",))
    code, out, err = run(capsys, str(logs), "--since", "2026-11-03T10:00Z", "--endpoint", NOBODY)
    assert (code, err) == (1, "")
    assert f"FAIL  endpoint: {NOBODY}: {NOBODY} is down" in out


def test_a_range_that_only_begins_may_be_waited_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    logs = write(tmp_path / "logs", ("v1", "v2"))
    code, _, err = run(capsys, str(logs), "--since", "2026-11-03T10:00Z", "--wait", "10ms")
    assert code == 3
    assert err.startswith("mlwatch: waiting, up to 0.0 more minutes: rollout of m: hold: ")


def test_of_the_past_it_says_that_no_endpoint_is_asked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    logs = write(tmp_path / "logs", ("v1",))
    (logs / "mlwatch.toml").write_text(f"[[endpoint]]\nurl = '{NOBODY}'\n")
    code, out, _ = run(capsys, str(logs), "--at", "2026-11-03T14:00Z")
    assert code == 3
    assert "PASS  endpoints: they are not asked about a moment of the past\n" in out


def test_each_of_several_candidates_is_a_finding(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = run(capsys, str(write(tmp_path / "logs", ("v1", "v2", "v3"))), "--format", "json")
    assert code == 3
    names = [item["name"] for item in json.loads(out)["findings"] if item["name"].startswith("rollout")]
    assert names == ["rollout of m v3", "rollout of m v2"]


def test_hostile_versions_stay_text(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    name = 'v2"><script>%0A::error::\x1b[31m\n'
    logs = write(tmp_path / "logs", ("v1", "v2"))
    path = logs / "log.jsonl"
    path.write_text(path.read_text().replace('"v2"', json.dumps(name)))
    for form in ("text", "junit", "github"):
        _, out, _ = run(capsys, str(logs), "--format", form)
        assert "\x1b" not in out
        if form == "junit":
            ET.fromstring(out)
        if form == "github":
            assert all(
                line.startswith(("::error title=", "::warning title=", "::notice title="))
                for line in out.splitlines()
            )
            assert "%0A" not in out.replace("%250A", "")


@pytest.mark.deep
def test_the_order_of_arrival_does_not_change_the_verdict(tmp_path: Path) -> None:
    lines = (write(tmp_path / "a", ("v1", "v2"), wrong=0.3) / "log.jsonl").read_text().splitlines()
    found: list[Any] = []
    for name, order in (("b", lines), ("c", lines[::-1]), ("d", lines[1::2] + lines[::2])):
        directory = tmp_path / name
        directory.mkdir()
        half = len(order) // 2
        (directory / "x.jsonl").write_text("\n".join(order[:half]) + "\n")
        (directory / "y.jsonl").write_text("\n".join(order[half:]) + "\n")
        with mlwatch.open(directory, db=":memory:", model="m") as watch:
            (rollout,) = watch.snapshot().rollouts
        found.append(
            (rollout.verdict, rollout.reasons, {k: m.difference or 0.0 for k, m in rollout.metrics.items()})
        )
    assert found[0][:2] == found[1][:2] == found[2][:2]
    for other in found[1:]:
        assert other[2] == pytest.approx(found[0][2], rel=1e-9, abs=1e-12)


def test_the_verdict_of_a_moment_does_not_depend_on_the_range(store: str) -> None:
    at = datetime(2026, 11, 3, 20, tzinfo=UTC)
    with mlwatch.open(LOGS, db=store) as watch:
        (whole,) = watch.snapshot(at=at).rollouts
        (part,) = watch.snapshot(span=pd.Timedelta(hours=1).to_pytimedelta(), at=at).rollouts
    assert whole == part


@pytest.mark.parametrize(("state", "outcome"), [("firing", "fail"), ("resolved", "pass")])
def test_an_outage_that_is_over_fails_no_pipeline(state: Literal["firing", "resolved"], outcome: str) -> None:
    at = datetime(2026, 11, 3, 12, tzinfo=UTC)
    endpoint = Endpoint("http://one", at, "fastapi", live=True, ready=True)
    down = Alert("endpoint: http://one", state, "critical", "http://one was down", at)
    found = Snapshot(at, None, Ingest(), Feed(), {}, alerts=(down,), endpoints=(endpoint,))
    assert _endpoint_finding(endpoint, found, golden=False).outcome == outcome


@pytest.mark.parametrize(
    ("up", "ready", "error", "outcome", "message"),
    [
        (True, True, "", "pass", "http://one is up"),
        (True, None, "401: not authorised", "hold",
         "http://one answers, but nobody knows whether it is ready: 401: not authorised"),
        (True, None, "", "pass",
         "http://one answers, and has no place known to say whether it is ready: configure health"),
        (False, False, "refused", "hold", "http://one was not up at the last look: refused"),
    ],
)  # fmt: skip
def test_only_an_endpoint_that_is_known_to_serve_passes(
    up: bool, ready: bool | None, error: str, outcome: str, message: str
) -> None:
    at = datetime(2026, 11, 3, 12, tzinfo=UTC)
    replica = Replica("", at, live=up, ready=ready, up=up, status=None, latency_ms=None, error=error)
    endpoint = Endpoint("http://one", at, "http", live=up, ready=ready, replicas=(replica,), error=error)
    found = Snapshot(at, None, Ingest(), Feed(), {}, endpoints=(endpoint,))
    said = _endpoint_finding(endpoint, found, golden=False)
    assert (said.outcome, said.message) == (outcome, message)

"""Two reports compared: every number against the two documents themselves."""

from __future__ import annotations

import copy
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import mlwatch
from mlwatch.cli import main
from mlwatch.errors import InputError
from mlwatch.faces import comparison_pages
from mlwatch.faces.comparison import compare

if TYPE_CHECKING:
    from logfiles import SampleStore

LOGS = Path(__file__).resolve().parents[3] / "sample_logs"
EVIL = "<script>alert(1)</script>|`x`\n# head\x1b[31m"

Document = dict[str, Any]


@pytest.fixture(scope="module")
def reports(sample_store: SampleStore) -> tuple[Document, Document]:
    """Reports of the sample rollout: just before its fault, and of the whole day."""
    from mlwatch.times import parse_time

    with mlwatch.open(LOGS, db=sample_store()) as watch:
        early = watch.snapshot(at=parse_time("2026-11-03T16:30Z")).to_dict()
        return early, watch.snapshot().to_dict()


def test_the_fault_of_the_samples_is_what_changed(reports: tuple[Document, Document]) -> None:
    before, after = reports
    found = compare(before, after)
    (turn,) = found.verdicts
    assert (turn.before, turn.after) == (before["rollouts"][0]["verdict"], "rollback")
    metrics = {(one.version, one.metric): one for one in found.metrics}
    old, new = (
        report["models"]["flight-delay"]["versions"]["v2"]["performance"]["accuracy"] for report in reports
    )
    accuracy = metrics["v2", "accuracy"]
    assert (accuracy.before, accuracy.after) == (old["value"], new["value"])
    assert accuracy.change == new["value"] - old["value"]
    assert (accuracy.better, accuracy.clear) == (False, new["high"] < old["low"])
    assert metrics["v2", "Latency p95"].better is False
    assert metrics["v2", "Throughput"].better is None
    assert [(one.version, one.feature, one.after) for one in found.features] == [("v2", "dep_delay", True)]
    assert json.loads(json.dumps(found.to_dict()))["schema"] == "mlwatch.comparison/1"


def test_what_lies_within_the_intervals_is_not_clear(reports: tuple[Document, Document]) -> None:
    """One error in a thousand more is noise."""
    before, after = (copy.deepcopy(report) for report in reports)
    version = after["models"]["flight-delay"]["versions"]["v2"]
    before["models"]["flight-delay"]["versions"]["v2"] = copy.deepcopy(version)
    old = before["models"]["flight-delay"]["versions"]["v2"]
    old["errors"] |= {"rate": 0.001, "low": 0.0002, "high": 0.006}
    version["errors"] |= {"rate": 0.002, "low": 0.0005, "high": 0.007}
    old["latency_ms"]["p99"], old["latency_ms"]["quantiles"]["p99"] = (
        10.0,
        {"value": 10.0, "low": 9.0, "high": 11.0},
    )
    old["business"]["revenue"] |= {"per_prediction": 1.0, "low": 0.9, "high": 1.1}
    version["business"]["revenue"] |= {"per_prediction": 0.9, "low": 0.8, "high": 1.0}
    del old["latency_ms"]["quantiles"]["p50"]  # an earlier report had none
    found = {one.metric: one for one in compare(before, after).metrics if one.version == "v2"}
    assert (found["Error rate"].better, found["Error rate"].clear) == (False, False)
    assert (found["Revenue per prediction"].better, found["Revenue per prediction"].clear) == (False, False)
    assert (found["Latency p99"].better, found["Latency p99"].clear) == (False, True)
    assert found["Latency p50"].clear is None
    assert found["Throughput"].clear is None


def test_the_segments_that_carry_the_rise_of_errors_are_named(reports: tuple[Document, Document]) -> None:
    """The parts of a column add up to the whole rise; each is Kitagawa's of the counts of the two documents."""
    found = compare(*reports)
    of_v2 = [one for one in found.carriers if one.version == "v2"]
    assert of_v2
    assert {one.version for one in found.carriers} == {"v2"}
    for one in of_v2:
        before, after = (
            {
                value: (each["labelled"], 1 - each["performance"]["accuracy"]["value"])
                for value, each in report["models"]["flight-delay"]["versions"]["v2"]["segments"][
                    one.column
                ].items()
                if each["labelled"]
            }
            for report in reports
        )
        (n, wrong), (n_after, wrong_after) = before[one.value], after[one.value]
        shares = n / sum(m for m, _ in before.values()), n_after / sum(m for m, _ in after.values())
        whole = [
            sum(m * rate for m, rate in side.values()) / sum(m for m, _ in side.values())
            for side in (before, after)
        ]
        assert (one.n_before, one.n_after) == (n, n_after)
        assert (one.before, one.after) == pytest.approx((wrong, wrong_after))
        assert (one.all_before, one.all_after) == pytest.approx(whole)
        rate = sum(shares) / 2 * (wrong_after - wrong)
        mix = (shares[1] - shares[0]) * ((wrong + wrong_after) / 2 - sum(whole) / 2)
        assert (one.rate, one.mix) == pytest.approx((rate, mix))
        assert one.share == pytest.approx((rate + mix) / (whole[1] - whole[0]))
    text = comparison_pages.markdown(found)
    first = of_v2[0]
    assert "## Where the errors rose" in text
    assert f"v2 (flight-delay): {first.share:.0%}".replace("%", " %") in text
    assert not compare(reports[1], reports[0]).carriers


def test_a_report_is_equal_to_itself(reports: tuple[Document, Document]) -> None:
    found = compare(reports[1], reports[1])
    assert {one.change for one in found.metrics} <= {0.0, None}
    assert not (found.features)
    assert not (found.carriers)
    assert not (found.alerts_new)
    assert not (found.alerts_gone)
    assert not (found.provenance)
    assert not (found.only_before)
    assert not (found.only_after)
    assert "roll back, as before" in comparison_pages.markdown(found)


def test_versions_of_one_report_alone_are_named(reports: tuple[Document, Document]) -> None:
    before = copy.deepcopy(reports[1])
    versions = before["models"]["flight-delay"]["versions"]
    versions["v0"] = versions.pop("v2")
    found = compare(before, reports[1])
    assert (found.only_before, found.only_after) == (("flight-delay v0",), ("flight-delay v2",))


def test_what_an_earlier_report_says_stays_text(reports: tuple[Document, Document]) -> None:
    before = copy.deepcopy(reports[0])
    before["alerts"] = [{"state": "firing", "message": EVIL}]
    before["provenance"] = {EVIL: EVIL}
    before["rollouts"][0]["candidate"] = EVIL
    before["rollouts"][0]["verdict"] = EVIL
    before["generated_at"] = before["range"]["start"] = EVIL
    found = compare(before, reports[1])
    page = comparison_pages.html(found)
    root = ET.fromstring(page.removeprefix("<!doctype html>\n"))
    assert not list(root.iter("script"))
    assert "\x1b" not in page
    text = comparison_pages.markdown(found)
    assert "<script" not in text
    assert "\n# head" not in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    "damage",
    [
        lambda report: report.pop("models"),
        lambda report: report.update(models=[]),
        lambda report: report["models"].update(x=None),
        lambda report: report.update(alerts=7),
        lambda report: report.update(range=None),
        lambda report: report["models"]["flight-delay"]["versions"]["v2"].update(quality={"features": []}),
        lambda report: report["models"]["flight-delay"]["versions"]["v2"]["performance"].update(
            accuracy={"value": "high"}
        ),
        lambda report: report["models"]["flight-delay"]["versions"]["v2"].update(segments=[]),
        lambda report: report["models"]["flight-delay"]["versions"]["v2"]["segments"].update(
            carrier={"EV": {"labelled": float("inf"), "performance": {}}}
        ),
    ],
)
def test_a_damaged_report_is_said(reports: tuple[Document, Document], damage: Any) -> None:
    before = copy.deepcopy(reports[0])
    damage(before)
    with pytest.raises(InputError, match=r"the report is damaged: a\.json: make it again"):
        compare(before, reports[1], "a.json")


@pytest.mark.deep
def test_the_command_reads_and_writes(
    reports: tuple[Document, Document],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    sample_store: SampleStore,
) -> None:
    earlier = tmp_path / "a.json"
    earlier.write_text(json.dumps(reports[0]))
    command = ["report", str(LOGS), "--db", str(sample_store()), "--compare", str(earlier), "--format"]
    assert main([*command, "md"]) == 0
    text = capsys.readouterr().out
    assert "v2 (flight-delay): hold became roll back" in text
    assert "| Accuracy |" in text
    assert main([*command, "html"]) == 0
    ET.fromstring(capsys.readouterr().out.removeprefix("<!doctype html>\n"))
    assert main([*command, "json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdicts"][0]["after"] == "rollback"
    for content, message in (
        ("{", "not JSON"),
        ("[]", "not a report of schema mlwatch.report/1"),
        ('{"schema": "x"}', "not a report of schema mlwatch.report/1"),
    ):
        earlier.write_text(content)
        assert main([*command, "md"]) == 2
        assert capsys.readouterr().err.startswith(f"mlwatch: {message}: {earlier}: ")

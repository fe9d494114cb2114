"""Alerts over the life of a directory: pending, firing, resolved, kept in the store."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from mlwatch.alerts import gravest_first
from mlwatch.config import NotifySettings, RuleSettings
from mlwatch.lasting import SPAN
from mlwatch.notify import news
from mlwatch.rules import Ruling, past, rulings
from mlwatch.session import Options, Session
from mlwatch.snapshot.types import Alert
from mlwatch.validation import validations

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlwatch.snapshot.types import Snapshot

START = datetime(2026, 11, 3, 10, tzinfo=UTC)
RULE = """
[[rule]]
name = "failures"
metric = "error_rate"
when = "> 20%"
for = "5m"
severity = "critical"
"""


class Directory:
    """A log directory to which minutes of traffic are added."""

    def __init__(self, path: Path, config: str = RULE) -> None:
        path.mkdir()
        (path / "mlwatch.toml").write_text(config)
        self.path, self.minute = path, 0
        self.store = path.parent / "store.duckdb"

    def add(self, minutes: int, failed: float = 0.0, version: str = "v1", model: str = "m") -> None:
        """Add ten requests a minute."""
        lines = []
        for minute in range(self.minute, self.minute + minutes):
            for second in range(10):
                bad = second < 10 * failed
                record = {
                    "timestamp": (START + timedelta(minutes=minute, seconds=6 * second)).isoformat(),
                    "id": f"{model}-{version}-{minute}-{second}",
                    "model": model,
                    "version": version,
                    "status": 500 if bad else 200,
                    "prediction": None if bad else 1,
                    "latency_ms": 5.0,
                }
                lines.append(json.dumps(record) + "\n")
        self.minute += minutes
        with (self.path / "log.jsonl").open("a") as file:
            file.writelines(lines)

    def alerts(self) -> list[Alert]:
        """Return the alerts of rules that one more look at the directory gives."""
        with Session(Options(self.path, db=self.store)) as session:
            session.ingest_all()
            return [alert for alert in session.snapshot().alerts if not alert.rule.startswith("ingest")]

    def states(self) -> list[str]:
        return [alert.state for alert in self.alerts()]


def test_an_alert_is_pending_then_firing_then_resolved_across_restarts(tmp_path: Path) -> None:
    logs = Directory(tmp_path / "logs")
    logs.add(20)
    assert logs.states() == []
    logs.add(2, failed=0.5)
    assert logs.states() == ["pending"]
    logs.add(6, failed=0.5)
    (firing,) = logs.alerts()
    assert (firing.rule, firing.state, firing.severity) == ("failures", "firing", "critical")
    assert firing.since == START + timedelta(minutes=20)
    assert firing.value == pytest.approx(0.5)
    assert firing.message == "error_rate of v1 is now 50 %, the rule is > 20% for 5 minutes"
    logs.add(2)
    assert logs.states() == ["firing"]  # not calm for as long as the rule asks
    logs.add(6)
    assert logs.states() == ["resolved"]


def test_what_never_fired_leaves_no_trace(tmp_path: Path) -> None:
    logs = Directory(tmp_path / "logs")
    logs.add(20)
    logs.add(2, failed=0.5)
    assert logs.states() == ["pending"]
    logs.add(3)
    assert logs.states() == []


@pytest.mark.deep
def test_a_value_that_dances_is_one_alert(tmp_path: Path) -> None:
    logs = Directory(tmp_path / "logs")
    logs.add(20)
    logs.add(8, failed=0.5)
    assert logs.states() == ["firing"]
    for _ in range(3):
        logs.add(2)
        logs.add(2, failed=0.5)
        assert logs.states() == ["firing"]


def test_a_past_that_is_read_at_once_tells_what_fires_now(tmp_path: Path) -> None:
    logs = Directory(tmp_path / "logs")
    logs.add(300)
    logs.add(30, failed=0.3)
    (firing,) = logs.alerts()
    assert (firing.state, firing.since) == ("firing", START + timedelta(minutes=300))


def test_the_alert_of_a_rule_that_is_gone_is_resolved(tmp_path: Path) -> None:
    logs = Directory(tmp_path / "logs")
    logs.add(20, failed=0.5)
    assert logs.states() == ["firing"]
    (logs.path / "mlwatch.toml").write_text("[[rule]]\nmetric = 'latency_p95'\nwhen = '> 200ms'\n")
    logs.add(1)
    assert logs.states() == ["resolved"]


def test_nothing_is_evaluated_twice_for_the_same_data(tmp_path: Path) -> None:
    logs = Directory(tmp_path / "logs")
    logs.add(20, failed=0.5)
    with Session(Options(logs.path, db=logs.store)) as session:
        session.ingest_all()
        before = session.generation
        session.ingest_all()
        assert session.generation == before


def test_following_a_directory_raises_alerts(tmp_path: Path) -> None:
    logs = Directory(tmp_path / "logs")
    logs.add(20, failed=0.5)
    with Session(Options(logs.path, db=":memory:")) as session:
        session.start()
        found = until(lambda: [alert for alert in session.snapshot().alerts if alert.rule == "failures"])
    assert [alert.state for alert in found] == ["firing"]


def test_a_rule_that_cannot_be_read_stops_nothing(tmp_path: Path) -> None:
    logs = Directory(tmp_path / "logs", "[[rule]]\nmetric = 'speed'\nwhen = '> 1'\n")
    logs.add(5)
    with Session(Options(logs.path, db=":memory:")) as session:
        session.start()
        found = until(lambda: [alert for alert in session.snapshot().alerts if alert.rule == "ingest: rules"])
    where = f"{logs.path}/mlwatch.toml, line 1, rule[1]"
    assert found[0].message.startswith(f"no metric speed: {where}: one of ")


def until(ask: Callable[[], list[Alert]], seconds: float = 30.0) -> list[Alert]:
    """Ask until there is an answer."""
    end = time.monotonic() + seconds
    found = ask()
    while not found and time.monotonic() < end:
        time.sleep(0.05)
        found = ask()
    return found


def test_a_silent_candidate_is_a_warning(tmp_path: Path) -> None:
    logs = Directory(tmp_path / "logs", "")
    logs.add(5, version="v2")
    logs.minute = 0
    logs.add(60, version="v1")
    found = {alert.rule: alert for alert in logs.alerts()}
    assert found["rollout"].severity == "warning"
    assert "has had no requests for" in found["rollout"].message


def test_a_version_that_fell_silent_does_not_break_a_rule_for_longer_and_longer(tmp_path: Path) -> None:
    logs = Directory(tmp_path / "logs")
    logs.add(3, version="v2")
    logs.add(1, failed=0.5, version="v2")
    logs.add(30, version="v1")
    (pending,) = [alert for alert in logs.alerts() if alert.rule == "failures"]
    assert pending.state == "pending"


@pytest.mark.deep
def test_the_alert_of_a_version_that_is_switched_off_ends(tmp_path: Path) -> None:
    logs = Directory(tmp_path / "logs")
    logs.add(10, version="v1")
    logs.minute = 0
    logs.add(10, failed=0.5, version="v2")
    assert [(alert.rule, alert.state) for alert in logs.alerts() if alert.rule == "failures"] == [
        ("failures", "firing")
    ]
    logs.add(34, version="v1")
    assert [alert.state for alert in logs.alerts() if alert.rule == "failures"] == ["firing"], (
        "it may come back"
    )
    logs.add(3, version="v1")
    (over,) = [alert for alert in logs.alerts() if alert.rule == "failures"]
    assert over.state == "resolved"
    assert over.message == (
        "error_rate of v2 was 50 %, the rule is > 20% for 5 minutes; then v2 got no requests any more"
    )


def silent(tmp_path: Path, **rule: object) -> Ruling:
    """Return what a rule with `for` says of v2, which failed for an hour and was switched off an hour ago."""
    logs = Directory(tmp_path / "logs", "")
    logs.add(60, failed=0.5, version="v2")
    logs.minute = 0
    logs.add(120)
    settings = RuleSettings(**{"for_": timedelta(minutes=5), "metric": "error_rate", "when": "> 20%", **rule})  # type: ignore[arg-type]
    with Session(Options(logs.path, db=":memory:")) as session:
        session.ingest_all()
        (ruling,) = [each for each in rulings(session.snapshot(), [settings]) if each.version == "v2"]
    return ruling


def test_of_a_version_without_requests_nothing_is_said_as_of_now(tmp_path: Path) -> None:
    found = silent(tmp_path)
    assert (found.state, found.value, found.silent) == ("ok", None, True)
    assert found.message == "error_rate: v2 gets no requests any more, so the rule says nothing"


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("rule", "state"),
    [
        ({"version": "v2"}, "no_data"),  # who asks for it is told that there was nothing to judge
        ({"for_": timedelta(0)}, "breach"),  # then the whole range counts
        ({"metric": "predictions", "when": "< 5"}, "breach"),  # that there are none is what this one says
    ],
)
def test_what_is_said_of_a_version_without_requests(
    tmp_path: Path, rule: dict[str, object], state: str
) -> None:
    assert silent(tmp_path, **rule).state == state


def test_a_change_from_a_version_without_requests_is_none_of_now(tmp_path: Path) -> None:
    logs = Directory(tmp_path / "logs", "[rollout]\nbaseline = 'v1'\n")
    logs.add(60)
    logs.minute = 0
    logs.add(60, failed=0.5, version="v2")
    logs.add(60, version="v2")
    rule = RuleSettings(metric="error_rate", when="rise > 5%", for_=timedelta(minutes=5))
    with Session(Options(logs.path, db=":memory:")) as session:
        session.ingest_all()
        (ruling,) = rulings(session.snapshot(), [rule])
    assert (ruling.version, ruling.state) == ("v2", "no_data")
    assert ruling.message == "error_rate: v1 gets no requests any more, so the rule says nothing"


def test_a_small_share_of_little_traffic_is_not_said_to_get_none_any_more(tmp_path: Path) -> None:
    """Of traffic every ten minutes it has each tenth: for 50 minutes, five times, it has none."""
    logs = Directory(tmp_path / "logs", "")
    for at in range(60):
        logs.minute = 10 * at
        version = "v2" if at % 10 == 4 else "v1"
        logs.add(1, version=version)
    settings = RuleSettings(for_=timedelta(minutes=5), metric="error_rate", when="> 20%")
    with Session(Options(logs.path, db=":memory:")) as session:
        session.ingest_all()
        found = rulings(session.snapshot(), [settings])
    assert not any(ruling.silent for ruling in found)
    assert all("is now 0" in ruling.message for ruling in found)


def test_since_when_a_verdict_stands_is_said(tmp_path: Path) -> None:
    logs = Directory(tmp_path / "logs", "")
    for minute in range(180):
        bad = 0.6 if minute >= 60 else 0.0
        for version in ("v1", "v2"):
            logs.minute = minute
            logs.add(1, failed=bad if version == "v2" else 0.0, version=version)
    found = {alert.rule: alert for alert in logs.alerts()}
    assert found["rollout"].message.startswith("roll back v2: ")
    assert START + timedelta(minutes=60) < found["rollout"].since < START + timedelta(minutes=80)


def test_a_comparison_that_is_blocked_is_so_since_it_was_blocked(tmp_path: Path) -> None:
    logs = Directory(tmp_path / "logs", "")
    logs.add(60, version="v2")
    logs.minute = 0
    logs.add(100, version="v1")
    found = {alert.rule: alert for alert in logs.alerts()}
    assert found["rollout"].message.startswith("hold v2: v2 has had no requests for")
    silent = START + timedelta(minutes=70)  # its last request, and [rollout] silent_after
    assert silent <= found["rollout"].since < silent + timedelta(minutes=5), "as exact as the course"


def test_since_when_a_model_is_silent_does_not_move_on_with_others(tmp_path: Path) -> None:
    logs = Directory(tmp_path / "logs", "")
    for version in ("v1", "v2"):
        logs.minute = 0
        logs.add(60, version=version)
    logs.add(30, model="n")
    (first,) = (alert for alert in logs.alerts() if alert.rule == "rollout")
    assert "has had no requests for" in first.message
    logs.add(30, model="n")
    (later,) = (alert for alert in logs.alerts() if alert.rule == "rollout")
    assert later.since == first.since < START + timedelta(minutes=90)


def test_since_when_a_verdict_stands_is_mended_once_its_course_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = Directory(tmp_path / "logs", "")
    for version, failed in (("v1", 0.0), ("v2", 0.6)):
        logs.minute = 0
        logs.add(60, version=version)
        logs.add(60, failed, version)
    with Session(Options(logs.path, db=logs.store)) as session:
        session._ingest.run_once()
        found = session.snapshot(SPAN)
        without = replace(found, rollouts=tuple(replace(each, course=None) for each in found.rollouts))

        def since(looked: Snapshot) -> datetime:
            monkeypatch.setattr(session._keeper, "_look", lambda _: looked)
            session._keeper.evaluate()
            return next(alert.since for alert in session.snapshot().alerts if alert.rule == "rollout")

        assert found.range is not None
        assert since(without) == found.range.end
        assert START + timedelta(minutes=60) < since(found) < START + timedelta(minutes=80)


def test_alerts_are_told_by_gravity_then_by_age() -> None:
    def alert(minute: int, state: str, severity: str) -> Alert:
        return Alert(f"{minute}", state, severity, "", START + timedelta(minutes=minute))  # type: ignore[arg-type]

    alerts = (
        alert(9, "resolved", "critical"),
        alert(8, "firing", "info"),
        alert(7, "firing", "warning"),
        alert(6, "pending", "critical"),
        alert(5, "firing", "critical"),
        alert(10, "resolved", "info"),
        alert(4, "firing", "warning"),
    )
    assert [each.rule for each in gravest_first(alerts)] == ["5", "7", "4", "8", "6", "10", "9"]


def test_what_is_critical_is_told_before_younger_warnings(tmp_path: Path) -> None:
    late = "[[rule]]\nmetric = 'latency_p95'\nwhen = '> 4ms'\nfor = '2m'\n"
    logs = Directory(tmp_path / "logs", RULE + late)
    logs.add(20, failed=0.5)
    assert [(alert.rule, alert.severity) for alert in logs.alerts()][:1] == [("failures", "critical")]
    logs.add(20, failed=0.5, version="v2")
    severities = [alert.severity for alert in logs.alerts()]
    assert severities == sorted(severities)
    assert set(severities) == {"critical", "warning"}


def test_a_verdict_names_its_model_where_there_are_several(tmp_path: Path) -> None:
    logs = Directory(tmp_path / "logs", "")
    for model in ("m", "n"):
        for version, failed in (("v1", 0.0), ("v2", 0.6)):
            logs.minute = 0
            logs.add(90, failed, version, model)
    said = [alert.message for alert in logs.alerts() if alert.rule == "rollout"]
    assert sorted(message.partition(": ")[0] for message in said) == [
        "roll back v2 of m", "roll back v2 of n"
    ]  # fmt: skip


def several(path: Path, config: str) -> Directory:
    """Return logs of two models, with a v1 each that fails from the twentieth minute on."""
    logs = Directory(path, config)
    for model in ("m", "n"):
        logs.minute = 0
        logs.add(20, model=model)
        logs.add(10, 0.5, model=model)
    return logs


def test_a_rule_names_its_model_where_there_are_several(tmp_path: Path) -> None:
    logs = several(tmp_path / "logs", RULE)
    assert sorted(alert.message for alert in logs.alerts()) == [
        f"error_rate of v1 of {model} is now 50 %, the rule is > 20% for 5 minutes" for model in ("m", "n")
    ]
    for model in ("m", "n"):
        logs.minute = 30
        logs.add(10, model=model)
    assert sorted(alert.message for alert in logs.alerts()) == [
        f"error_rate of v1 of {model} was 50 %, the rule is > 20% for 5 minutes" for model in ("m", "n")
    ]
    with Session(Options(logs.path, db=logs.store)) as session:
        then = session.snapshot(at=START + timedelta(minutes=30)).alerts
    assert sorted(alert.message for alert in then) == [
        f"v1 of {model} breaks the rule failures" for model in ("m", "n")
    ]


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (
            {"metric": "error_rate", "when": "> 10%"},
            "error_rate of v1 of m is 16.67 %, the rule is > 10%",
        ),
        ({"metric": "mae", "when": "> 1"}, "mae of v1 of m has no value, so the rule says nothing"),
        (
            {"metric": "mae", "when": "> 1", "version": "v9"},
            "mae > 1: there is no v9 of m with traffic, so the rule says nothing",
        ),
    ],
)
def test_sentences_of_rules_name_the_model_where_there_are_several(
    tmp_path: Path, rule: dict[str, str], said: str
) -> None:
    logs = several(tmp_path / "logs", "")
    with Session(Options(logs.path, db=":memory:")) as session:
        session.ingest_all()
        found = rulings(session.snapshot(), [RuleSettings(**rule)])  # type: ignore[arg-type]
    with Session(Options(logs.path, db=":memory:", model="m")) as session:
        session.ingest_all()
        (alone,) = rulings(session.snapshot(), [RuleSettings(**rule)])  # type: ignore[arg-type]
    assert [each.message for each in found] == [said, said.replace(" of m ", " of n ")]
    assert alone.message == said.replace(" of m ", " ")


def test_what_a_schema_asks_names_the_model_where_there_are_several(tmp_path: Path) -> None:
    logs = several(tmp_path / "logs", "[schema.x]\nmax = 1\n")
    with Session(Options(logs.path, db=":memory:")) as session:
        session.ingest_all()
        found = [ruling.message for ruling in validations(session.snapshot())]
    assert found == [
        f"x of v1 of {model} has no value, so there is nothing to validate" for model in ("m", "n")
    ]


def test_one_rule_of_two_models_is_two_alerts(tmp_path: Path) -> None:
    logs = several(tmp_path / "logs", f"{RULE}\n[notify]\nurls = ['json://localhost']\ndry_run = true\n")
    with Session(Options(logs.path, db=logs.store)) as session:
        session.ingest_all()
        found = {alert.about: alert for alert in session.snapshot().alerts if alert.rule == "failures"}
        assert set(found) == {"m v1", "n v1"}
        session.silence(found["m v1"], "acknowledge")
        states = {
            alert.about: alert.silence for alert in session.snapshot().alerts if alert.rule == "failures"
        }
        told = news(session.connection, session.snapshot().alerts, NotifySettings(urls=("json://localhost",)))
    assert states == {"m v1": "acknowledge", "n v1": None}
    assert [message.body for message in told] == [found["n v1"].message]


@pytest.mark.usual(2)
@pytest.mark.parametrize(
    ("when", "metric", "state"),
    [
        ("> 4ms", "latency_p95", "breach"),
        ("> 0.004s", "latency_p95", "breach"),
        ("> 6", "latency_p95", "ok"),
        ("> 10%", "error_rate", "breach"),
        ("<= 0.3", "error_rate", "breach"),
        ("< 1", "mae", "no_data"),
        ("< 1000", "predictions", "breach"),
    ],
)
def test_conditions_are_read_with_their_units(tmp_path: Path, when: str, metric: str, state: str) -> None:
    logs = Directory(tmp_path / "logs", f"[[rule]]\nmetric = '{metric}'\nwhen = '{when}'\n")
    logs.add(20, failed=0.3)
    with Session(Options(logs.path, db=":memory:")) as session:
        session.ingest_all()
        (ruling,) = rulings(session.snapshot(), session.config.rules)
    assert ruling.state == state


def test_a_rule_about_a_version_that_is_not_there_says_so(tmp_path: Path) -> None:
    logs = Directory(tmp_path / "logs", "[[rule]]\nmetric = 'accuracy'\nwhen = '< 0.9'\nversion = 'v9'\n")
    logs.add(3)
    with Session(Options(logs.path, db=":memory:")) as session:
        session.ingest_all()
        (ruling,) = rulings(session.snapshot(), session.config.rules)
    assert ruling.state == "no_data"
    assert ruling.message == "accuracy < 0.9: there is no v9 with traffic, so the rule says nothing"


def test_what_a_schema_says_of_a_version_ends_with_it(tmp_path: Path) -> None:
    logs, store = tmp_path / "logs", tmp_path / "store.duckdb"
    logs.mkdir()
    (logs / "mlwatch.toml").write_text("[schema.x]\nmax = 1\n")

    def after(version: str, begin: int, value: int) -> list[str]:
        """Return the state of the schema's alerts after an hour of one version more."""
        times = [START + timedelta(minutes=begin + minute) for minute in range(60)]
        records = [
            {
                "timestamp": at.isoformat(),
                "model": "m",
                "version": version,
                "prediction": 1,
                "features": {"x": value},
            }
            for at in times
        ]
        with (logs / "log.jsonl").open("a") as file:
            file.writelines(json.dumps(record) + "\n" for record in records)
        with Session(Options(logs, db=store)) as session:
            session.ingest_all()
            return [alert.state for alert in session.snapshot().alerts if alert.rule == "schema: x"]

    assert after("v2", 0, 2) == ["firing"]
    assert after("v1", 120, 0) == ["resolved"]


def test_rules_that_changed_are_evaluated_on_the_same_logs(tmp_path: Path) -> None:
    logs = Directory(tmp_path / "logs")
    logs.add(20, failed=0.5)
    assert [(alert.rule, alert.state) for alert in logs.alerts()] == [("failures", "firing")]
    (logs.path / "mlwatch.toml").write_text("[[rule]]\nmetric = 'latency_p95'\nwhen = '> 1ms'\n")
    found = {alert.rule: alert.state for alert in logs.alerts()}
    assert found == {"latency_p95 > 1ms": "firing", "failures": "resolved"}


def test_rules_of_one_name_are_alerts_of_their_own(tmp_path: Path) -> None:
    rule = "[[rule]]\nmetric = 'error_rate'\nwhen = '> 20%'\n"
    logs = Directory(tmp_path / "logs", f"{rule}{rule}for = '10m'\nseverity = 'critical'\n")
    logs.add(60)
    logs.add(30, failed=0.9)
    for _ in range(2):  # neither takes the place of the other
        assert {(alert.rule, alert.severity, alert.state) for alert in logs.alerts()} == {
            ("error_rate > 20%", "warning", "firing"),
            ("error_rate > 20% (2)", "critical", "firing"),
        }
        logs.add(1, failed=0.9)


def test_what_is_over_is_told_as_of_then_and_fires_in_its_past(tmp_path: Path) -> None:
    logs = Directory(tmp_path / "logs")
    logs.add(20)
    logs.add(10, failed=0.5)
    assert logs.states() == ["firing"]
    logs.add(10)
    (over,) = logs.alerts()
    assert (over.state, over.message) == (
        "resolved",
        "error_rate of v1 was 50 %, the rule is > 20% for 5 minutes",
    )
    assert over.since == START + timedelta(minutes=20)
    assert over.resolved is not None
    assert START + timedelta(minutes=39) < over.resolved <= START + timedelta(minutes=40)
    with Session(Options(logs.path, db=logs.store)) as session:
        (then,) = session.snapshot(at=START + timedelta(minutes=30)).alerts
        (now,) = session.snapshot(at=START + timedelta(minutes=40)).alerts
        document = session.snapshot().to_dict()["alerts"]
    assert (then.state, then.resolved) == ("firing", None)
    assert then.message == "v1 breaks the rule failures"
    assert (now.state, now.resolved) == ("resolved", over.resolved)
    assert document[0]["resolved"] == over.resolved.isoformat().replace("+00:00", "Z")


def test_the_past_shows_no_figure_that_came_later(tmp_path: Path) -> None:
    logs = Directory(tmp_path / "logs")
    logs.add(20)
    logs.add(10, failed=0.5)
    logs.add(10, failed=0.9)
    assert logs.states() == ["firing"]
    with Session(Options(logs.path, db=logs.store)) as session:
        (then,) = session.snapshot(at=START + timedelta(minutes=30)).alerts
        (now,) = session.snapshot(at=START + timedelta(minutes=40)).alerts
    assert (then.state, then.message, then.value) == ("firing", "v1 breaks the rule failures", None)
    assert now.message == "error_rate of v1 is now 90 %, the rule is > 20% for 5 minutes"
    assert now.value == pytest.approx(0.9)


def test_the_verdict_of_then_is_told_of_the_past(tmp_path: Path) -> None:
    logs = Directory(tmp_path / "logs", "")
    for version, worse in (("v1", 0.0), ("v2", 0.6)):
        logs.minute = 0
        logs.add(60, version=version)
        logs.add(60, worse, version)
        logs.add(60, worse / 2, version)
    (now,) = (alert for alert in logs.alerts() if alert.rule == "rollout")
    with Session(Options(logs.path, db=logs.store)) as session:
        past = session.snapshot(at=START + timedelta(minutes=120))
        (then,) = (alert for alert in past.alerts if alert.rule == "rollout")
        (verdict,) = past.rollouts
        ranged = session.snapshot(timedelta(minutes=15), START + timedelta(minutes=120))
    assert then.message == f"roll back v2: {verdict.reasons[0]}"
    assert then.message != now.message
    assert then in ranged.alerts


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "accuracy of v2 is 0.8 (baseline 0.9), the rule is drop > 2%",
            "accuracy of v2 was 0.8 (baseline 0.9), the rule is drop > 2%",
        ),
        (
            "mae of v2 over the whole range is 3, the rule is > 2",
            "mae of v2 over the whole range was 3, the rule is > 2",
        ),
        ("roll back v2: the error rate of v2 is 3 %", "roll back v2: the error rate of v2 is 3 %"),
    ],
)
def test_the_past_of_a_rule(said: str, told: str) -> None:
    assert past(said) == told


def test_what_one_run_asks_for_leaves_no_trace(tmp_path: Path) -> None:
    logs = Directory(tmp_path / "logs", "")
    logs.add(30, version="v1")
    logs.add(30, version="v2", failed=0.9, model="other")
    for minute in range(30):
        logs.minute = minute + 60
        logs.add(1, version=f"v{1 + minute % 2}")
    before = [(alert.rule, alert.about, alert.state) for alert in logs.alerts()]
    assert ("error_rate > 5%", "other v2", "firing") in before
    usual = Options(logs.path, db=logs.store)
    for asked in (replace(usual, baseline="v2", candidate="v1"), replace(usual, model="m")):
        with Session(asked) as session:
            session.ingest_all()
        assert [(alert.rule, alert.about, alert.state) for alert in logs.alerts()] == before

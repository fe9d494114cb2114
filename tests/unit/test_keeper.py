"""What is said of rules is over once the configuration is mended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from logfiles import lines, prediction

from mlwatch import notify
from mlwatch.session import Options, Session
from mlwatch.store import notices

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from mlwatch.delivery import Message


def kept(logs: Path, store: Path) -> dict[str, str]:
    """Read what there is, keep the rules once, and return what is said of them, with its state."""
    with Session(Options(logs, db=store)) as session:
        session._ingest.run_once()
        session._keeper.keep()
        alerts = session.snapshot().alerts
    return {alert.message: alert.state for alert in alerts if alert.rule == "ingest: rules"}


def test_what_was_said_of_a_rule_ends_once_it_is_mended(tmp_path: Path) -> None:
    logs, store = tmp_path / "logs", tmp_path / "store.duckdb"
    logs.mkdir()
    (logs / "a.jsonl").write_text(lines(prediction(n) for n in range(10)))
    rule = "[[rule]]\nmetric = '{}'\nwhen = '> 5%'\n"
    (logs / "mlwatch.toml").write_text(rule.format("colour"))
    ((message, state),) = kept(logs, store).items()
    assert "colour" in message
    assert state == "firing"
    (logs / "mlwatch.toml").write_text(rule.format("error_rate"))
    assert kept(logs, store) == {message: "resolved"}


def test_what_was_said_of_topics_ends_with_them(tmp_path: Path) -> None:
    logs, store = tmp_path / "logs", tmp_path / "store.duckdb"
    logs.mkdir()

    def said() -> list[str]:
        with Session(Options(logs, db=store)) as session:
            found: list[str] = [
                alert.state for alert in session.snapshot().alerts if alert.rule == "ingest: kafka"
            ]
            notices.post(session.connection, "critical", "kafka", "no broker answers")
        return found

    assert (said(), said()) == ([], ["resolved"])


def test_people_are_told_of_more_alerts_than_a_snapshot_has_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs, names = tmp_path / "logs", [f"f{number:02d}" for number in range(60)]
    logs.mkdir()
    (logs / "a.jsonl").write_text(lines(prediction(n, features=dict.fromkeys(names, 2)) for n in range(10)))
    schema = "".join(f"[schema.{name}]\nmax = 1\n" for name in names)
    (logs / "mlwatch.toml").write_text(f"{schema}[notify]\nurls = ['json://localhost:1/']\ndry_run = true\n")
    sent: list[Message] = []
    monkeypatch.setattr(notify.Notifier, "send", lambda _, messages, silenced: sent.extend(messages))
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        session._keeper.start()
        session._keeper.keep()
        session._keeper.keep()
    told = [message.body.split()[0] for message in sent if " of v1: " in message.body]
    assert sorted(told) == names


def test_what_was_muted_of_a_longer_range_stays_muted(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    begin = datetime(2026, 11, 3, 10, tzinfo=UTC)
    (logs / "a.jsonl").write_text(
        lines(
            prediction(
                n,
                timestamp=(begin + timedelta(minutes=n)).isoformat(),
                features={"x": "many" if 100 < n < 200 else n % 7},
            )
            for n in range(600)
        )
    )
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()

        def silence(span: timedelta | None) -> list[str | None]:
            alerts = session.snapshot(span).alerts
            return [alert.silence for alert in alerts if alert.rule == "quality: invalid values"]

        (odd,) = [a for a in session.snapshot().alerts if a.rule == "quality: invalid values"]
        session.silence(odd, "mute")
        session._keeper.keep()
        assert silence(None) == ["mute"]
        assert silence(timedelta(hours=1)) == []


def test_what_an_address_has_not_taken_is_told_after_a_restart_and_its_trouble_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs, store, took = tmp_path / "logs", tmp_path / "store.duckdb", list[str]()
    logs.mkdir()
    configured = "[notify]\nurls = ['json://localhost:1/']\n"

    def run(*, takes: bool, text: str = configured) -> dict[str, str]:
        """Tell people for a moment, and return what is said of addresses afterwards, with its state."""

        def receive(_: object, message: Message) -> bool:
            took.extend([message.body] if takes else [])
            return takes

        monkeypatch.setattr(notify, "_notify", receive)
        (logs / "mlwatch.toml").write_text(text)
        with Session(Options(logs, db=store)) as session:
            notices.post(session.connection, "critical", "kafka", "no broker answers")
            session._keeper.start()
            session._keeper.keep()
        with Session(Options(logs, db=store)) as session:
            alerts = session.snapshot().alerts
            return {alert.rule: alert.state for alert in alerts if "address 1" in alert.message}

    name = "ingest: notify address 1"
    assert run(takes=False) == {name: "firing"}
    assert run(takes=False) == {name: "firing"}
    assert took == []
    assert run(takes=True) == {name: "resolved"}
    assert run(takes=True) == {name: "resolved"}
    assert took == ["no broker answers"]
    (logs / "mlwatch.toml").write_text("")
    with Session(Options(logs, db=store)) as session:
        notices.post(session.connection, "warning", "notify", "[notify] urls: address 1 took no message")
        notices.post(session.connection, "warning", "notify address 1", "notify address 1 is not read: odd")
        session._keeper.start()
        states = {alert.message: alert.state for alert in session.snapshot().alerts}
    assert states["[notify] urls: address 1 took no message"] == "resolved", "there are no addresses any more"
    assert states["notify address 1 is not read: odd"] == "firing", "that is a file"

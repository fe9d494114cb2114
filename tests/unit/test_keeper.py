"""What is said of rules is over once the configuration is mended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from logfiles import lines, prediction

from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from pathlib import Path


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

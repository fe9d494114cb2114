"""While the logs are followed: that the configuration is another than the one in use is said, and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from logfiles import lines, prediction
from waiting import until

from mlwatch.config import load
from mlwatch.config.unapplied import Unapplied
from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.snapshot.types import Alert

CHANGED = "mlwatch.toml has changed: start mlwatch again, for it is read at the start"


def of_configuration(session: Session) -> list[Alert]:
    return [alert for alert in session.snapshot().alerts if alert.rule == "ingest: configuration"]


def test_a_configuration_that_changes_is_told_of_until_it_is_read(tmp_path: Path) -> None:
    logs, store = tmp_path / "logs", tmp_path / "store.duckdb"
    logs.mkdir()
    (logs / "a.jsonl").write_text(lines(prediction(n) for n in range(10)))
    config = logs / "mlwatch.toml"
    config.write_text('[watch]\ninterval = "1s"\n')
    with Session(Options(logs, db=store)) as session:
        session.start()
        until(lambda: session.snapshot().ingest.records == 10)
        assert of_configuration(session) == []
        config.write_text('[watch]\ninterval = "1s"\n[store]\nkeep = "3d"\n')
        until(lambda: [one.message for one in of_configuration(session)] == [CHANGED])
        config.write_text("[watch]\ninterval = 'soon'\n")
        until(lambda: any("line 2" in one.message for one in of_configuration(session)))
        config.write_text('[watch]\ninterval = "1s"\n')
        until(lambda: [one.state for one in of_configuration(session)] == ["resolved"])
        config.write_text('[watch]\ninterval = "2s"\n')
        until(lambda: [one.state for one in of_configuration(session)] == ["firing"])
    with Session(Options(logs, db=store)) as session:
        assert [one.state for one in of_configuration(session)] == ["resolved"], "it is read now"


def test_a_file_that_is_touched_is_the_same_and_one_that_comes_or_goes_is_not(tmp_path: Path) -> None:
    path = tmp_path / "mlwatch.toml"
    none = Unapplied(path, load(None).sha256)
    assert none.look() is None
    path.write_text('[store]\nkeep = "3d"\n')
    assert none.look() == CHANGED
    some = Unapplied(path, load(path).sha256)
    path.touch()
    assert some.look() is None
    path.unlink()
    assert (some.look(), none.look()) == (CHANGED, None)

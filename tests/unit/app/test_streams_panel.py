"""The panel of the reading says how many messages of topics are not read yet."""

from __future__ import annotations

from dataclasses import replace

import factory
from textual.geometry import Size

from mlwatch.app.panels.facts import IngestPanel
from mlwatch.app.panels.feedline import FeedLine
from mlwatch.app.view import View
from mlwatch.snapshot.types import Stream


def facts(*streams: Stream) -> dict[str, tuple[str, bool]]:
    found = factory.snapshot()
    panel = IngestPanel("ingest")
    view = View(replace(found, ingest=replace(found.ingest, streams=streams)), "logs")
    return {fact.label: (fact.values[0], fact.notable) for fact in panel.digest(view).facts}


def test_unread_messages_are_counted_and_the_worst_partitions_named() -> None:
    shown = facts(*(Stream("fraud", number, 100, 100 + number) for number in range(30)))
    assert shown["Unread messages"] == ("435", True)
    assert shown["  fraud/29"] == ("29", True)
    assert "  fraud/0" not in shown


def test_a_partition_that_is_read_is_not_notable() -> None:
    assert facts(Stream("fraud", 0, 7, 7))["  fraud/0"] == ("0", False)


def test_without_topics_nothing_is_said() -> None:
    assert "Unread messages" not in facts()


def test_the_feed_line_names_partitions_instead_of_files() -> None:
    found = factory.snapshot()
    ingest = replace(found.ingest, files=0, streams=(Stream("t", 0, 5, 9), Stream("t", 1, 5, 6)))
    panel = FeedLine("feed")
    (line,) = panel.lines(panel.digest(View(replace(found, ingest=ingest), "logs")), Size(120, 1))
    assert "2 partitions" in line.plain
    assert "5 unread" in line.plain
    assert "file" not in line.plain

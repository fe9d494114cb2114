"""Rewrite a block of native records to plain ones, in SQL: a request becomes a record an instance.

The steps are temporary tables of the reading thread's connection: `native` (lines), `envelopes` (one row a request,
made by the format), `spread` (one row an instance), and the text of the plain records.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlwatch.asking import row
from mlwatch.errors import reason_of
from mlwatch.roles.types import ROUNDING, SCORE_THRESHOLD
from mlwatch.sources.formats import payload
from mlwatch.sources.formats.halves import Halves
from mlwatch.sources.formats.types import ENVELOPE, Refused, Rewritten
from mlwatch.sources.sql import literal
from mlwatch.sources.time_sql import EARLIEST, LATEST

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from duckdb import DuckDBPyConnection

    from mlwatch.sources.formats.types import Carried, Importer, Memory

RAW_LIMIT = 2000
"""Characters of a refused record that are kept."""
_LINE_BITS = 40
"""Bits of a line's number; those above are the number of its block."""
_LINE_MASK = (1 << _LINE_BITS) - 1


@dataclass(frozen=True, slots=True)
class Text:
    """A block of whole lines."""

    text: str
    first_line: int
    """Number of its first line in its file."""


class Rewriter:
    """Rewrite the blocks of one log directory.

    Args:
        connection: Used by the reading thread alone.
        memory: What is known from former runs.
    """

    def __init__(self, connection: DuckDBPyConnection, memory: Memory) -> None:
        self._connection = connection
        self._scores = dict(memory.scored)
        """Whether the numbers that a model answers are probabilities."""
        payload.define(connection)
        self._halves = Halves(connection, memory)

    def rewrite(
        self, importer: Importer, select: str, texts: Sequence[Text], written: datetime
    ) -> list[Rewritten]:
        """Return the plain records of some blocks of whole lines, for each block its own.

        What is carried on between blocks comes with the last one: they are to be taken in together.

        Args:
            importer: The format.
            select: The importer's SELECT, which must be the same for all of them.
            texts: The blocks.
            written: When the last of their files was written or put there, naive UTC.
        """
        import duckdb  # noqa: PLC0415

        self._connection.execute("BEGIN")  # so that the halves of a block that fails go on waiting
        try:
            rewritten = self._rewrite(importer, select, texts, written)
        except (duckdb.DataError, duckdb.InvalidInputException) as error:
            self._connection.execute("ROLLBACK")
            if len(texts) > 1:
                return [one for text in texts for one in self.rewrite(importer, select, [text], written)]
            return [self._apart(importer, select, texts[0], written, error)]
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        return rewritten

    def _apart(
        self, importer: Importer, select: str, block: Text, written: datetime, error: Exception
    ) -> Rewritten:
        """Halve a block that fails, down to the line that makes it fail."""
        lines = block.text.rstrip("\n").split("\n")
        if len(lines) == 1:
            reason = f"not a record of {importer.title} ({reason_of(error)})"
            return Rewritten(b"", 1, (Refused(block.first_line, reason, block.text[:RAW_LIMIT]),))
        middle = len(lines) // 2
        one, other = (
            self.rewrite(importer, select, [Text("\n".join(part) + "\n", block.first_line + start)], written)[
                0
            ]
            for part, start in ((lines[:middle], 0), (lines[middle:], middle))
        )
        return Rewritten(
            one.text + other.text,
            one.records + other.records,
            (*one.refused, *other.refused),
            (*one.carried, *other.carried),
            (*one.sampled, *other.sampled),
        )

    def release(self, importer: Importer) -> Rewritten | None:
        """Return the halves of a format's requests that wait for the other in vain; None if there are none."""
        carried = self._halves.release(importer)
        return None if carried is None else self._plain(importer, [()], carried)[0]

    def _rewrite(
        self, importer: Importer, select: str, texts: Sequence[Text], written: datetime
    ) -> list[Rewritten]:
        self._take_lines(texts, any_text=importer.text)
        columns = ", ".join(f"{name} {kind}" for name, kind in ENVELOPE.items())
        self._connection.execute(f"CREATE OR REPLACE TEMP TABLE envelopes ({columns})")
        self._connection.execute(f"INSERT INTO envelopes BY NAME {select}")
        self._connection.execute(f"""
            UPDATE envelopes SET reason = 'no usable time'
            WHERE reason IS NULL AND (ts IS NULL OR NOT ts BETWEEN {EARLIEST} AND {LATEST})""")
        refused = self._refused(len(texts), any_text=importer.text)
        return self._plain(importer, refused, self._halves.pair(importer.name, written))

    def _plain(
        self, importer: Importer, refused: Sequence[tuple[Refused, ...]], carried: Carried | None
    ) -> list[Rewritten]:
        """Return the records that the requests in `envelopes` make, for each block."""
        texts: dict[int, tuple[int, str]] = {}
        sampled: tuple[str, ...] = ()
        requests, *bodies = self._connection.execute(
            "SELECT COUNT(*), COUNT(request), COUNT(response), COUNT(label) FROM envelopes WHERE reason IS NULL"
        ).fetchall()[0]
        if requests:
            self._spread([name for name, filled in zip(_BODIES, bodies, strict=True) if filled])
            self._tell_scores()
            texts, sampled = self._texts(importer), self._sampled()
        found = []
        for block, wrong in enumerate(refused):
            count, plain = texts.get(block, (0, ""))
            found.append(Rewritten(f"{plain}\n".encode() if plain else b"", count + len(wrong), wrong))
        found[-1] = replace(found[-1], carried=(carried,) if carried else (), sampled=sampled)
        return found

    def _texts(self, importer: Importer) -> dict[int, tuple[int, str]]:
        """Return how many plain records each block has, and their text."""
        fields = ", ".join(f"'{name}': {value}" for name, value in _FIELDS.items())
        if importer.answers:
            fields += ", 'prediction': prediction, 'score': score, 'label': label"
        rows = self._connection.execute(f"""
            SELECT n >> {_LINE_BITS}, COUNT(*),
                string_agg(CAST(to_json({{{fields}}}) AS VARCHAR), chr(10) ORDER BY n, i)
            FROM answered GROUP BY ALL""").fetchall()
        return {block: (count, text) for block, count, text in rows}

    def _sampled(self) -> tuple[str, ...]:
        """Return how many requests a sample stands for, beyond those that it holds."""
        (sampled,) = row(
            self._connection,
            """
            SELECT CAST(to_json(list(bucketed)) AS VARCHAR) FROM (
                SELECT time_bucket(INTERVAL '60 seconds', ts) AS bucket, model, version,
                    SUM(1 / fraction - 1) AS unseen
                FROM answered WHERE fraction > 0 AND fraction < 1 GROUP BY ALL) AS bucketed""",
        )
        return (sampled,) if sampled else ()

    def _take_lines(self, texts: Sequence[Text], *, any_text: bool) -> None:
        """Fill `lines`, and show as `native` those that are JSON objects, or all where any text will do.

        The number of a line has its block's number before it.
        """
        starts = [(block << _LINE_BITS) + one.first_line - 1 for block, one in enumerate(texts)]
        self._connection.execute(
            """CREATE OR REPLACE TEMP TABLE lines AS
            SELECT n, raw, LTRIM(raw, chr(32) || chr(9))[1] = '{' AND json_valid(raw) AS good
            FROM (SELECT start + generate_subscripts(parts, 1) AS n, UNNEST(parts) AS raw
                FROM (SELECT start, string_split(text, chr(10)) AS parts
                    FROM (SELECT UNNEST(?::BIGINT[]) AS start, UNNEST(?::VARCHAR[]) AS text)))
            WHERE TRIM(raw, chr(32) || chr(9)) <> ''""",
            [starts, [one.text for one in texts]],
        )
        self._connection.execute(f"""
            CREATE OR REPLACE TEMP VIEW native AS
            SELECT n, raw, CASE WHEN good THEN raw END AS j FROM lines WHERE good OR {any_text}""")

    def _refused(self, blocks: int, *, any_text: bool) -> list[tuple[Refused, ...]]:
        rows = self._connection.execute(f"""
            SELECT n, reason, LEFT(raw, {RAW_LIMIT}) FROM (
                SELECT n, CASE WHEN json_valid(raw) THEN 'not a JSON object' ELSE 'not valid JSON' END AS reason
                FROM lines WHERE NOT good AND (NOT {any_text} OR raw LIKE '{{%')
                UNION ALL SELECT n, reason FROM envelopes WHERE reason IS NOT NULL)
            JOIN lines USING (n) ORDER BY n""").fetchall()
        found: list[list[Refused]] = [[] for _ in range(blocks)]
        for n, reason, raw in rows:
            found[n >> _LINE_BITS].append(Refused(n & _LINE_MASK, reason, raw))
        return [tuple(one) for one in found]

    def _spread(self, filled: Sequence[str]) -> None:
        """Fill `spread` with a row for each instance of each request.

        Args:
            filled: The bodies that there are; long expressions over the others would be planned for nothing.
        """
        empty = ", ".join(f"CAST(NULL AS JSON[]) AS {name}" for name in _BODIES if name not in filled)
        bodies = """(
            SELECT * EXCLUDE (side, key, clock, seen, reason), COALESCE(status >= 400, FALSE) AS failed
            FROM envelopes WHERE reason IS NULL)"""
        rows = payload.rows_sql(bodies, filled)
        if empty:
            rows = f"SELECT * REPLACE ({empty}) FROM ({rows})"
        answer, label = (
            f"answer({rows}[i])" if name in filled else "CAST(NULL AS JSON)"
            for name, rows in (("response", "answers"), ("label", "labels"))
        )
        self._connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE spread AS
            WITH matched AS (
                SELECT * RENAME (label AS labels, response AS answers, request AS given) FROM ({rows})),
            fitted AS (
                SELECT * REPLACE (
                    CASE WHEN failed THEN NULL WHEN LEN(answers) > 1 AND LEN(given) = 1 THEN [to_json(answers)]
                        ELSE answers END AS answers,
                    CASE WHEN LEN(given) > 1 AND LEN(answers) = 1 THEN [to_json(given)] ELSE given END AS given)
                FROM matched),
            counted AS (
                SELECT *, CASE WHEN failed THEN 1
                    ELSE GREATEST(1, COALESCE(LEN(answers), LEN(labels), LEN(given))) END AS instances
                FROM fitted)
            SELECT n, id, ts, model, version, latency_ms, status, error, fraction, instances, i,
                CASE WHEN instances = LEN(given) AND NOT failed THEN row_features(given[i]) END AS features,
                {answer} AS answer, {label} AS label
            FROM (SELECT *, UNNEST(range(1, instances + 1)) AS i FROM counted)""")

    def _tell_scores(self) -> None:
        """Decide of each model whether the numbers that it answers are probabilities.

        They are when all lie between 0 and 1 and some strictly; the first block that tells decides.
        """
        rows = self._connection.execute("""
            SELECT COALESCE(model, ''), MIN(number) >= 0 AND MAX(number) <= 1
            FROM (SELECT model, answer_number(answer) AS number FROM spread)
            GROUP BY ALL HAVING BOOL_OR(number NOT IN (0, 1))""").fetchall()
        for model, unit in rows:
            self._scores.setdefault(model, bool(unit))
        scored = [model for model, unit in self._scores.items() if unit]
        names = ", ".join(literal(model) for model in scored) or "NULL"
        self._connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE answered AS
            SELECT * EXCLUDE (answer, label, chances), answer_class(label, answer_chances(label)) AS label,
                CASE WHEN score IS NOT NULL AND COALESCE(number, score) = score
                    THEN COALESCE(CASE WHEN number IS NULL THEN class END,
                        CASE WHEN score BETWEEN {SCORE_THRESHOLD} AND {1 + ROUNDING} THEN '1'
                            WHEN score BETWEEN -{ROUNDING} AND {SCORE_THRESHOLD} THEN '0' END)
                    ELSE class END AS prediction
            FROM (SELECT *, CASE WHEN COALESCE(model, '') IN ({names}) AND number BETWEEN 0 AND 1 THEN number
                    ELSE answer_score(answer, chances) END AS score
                FROM (SELECT *, answer_number(answer) AS number, answer_class(answer, chances) AS class
                    FROM (SELECT *, answer_chances(answer) AS chances FROM spread)))""")


_BODIES = ("request", "response", "label")
_FIELDS = {
    "timestamp": "epoch_us(ts)",
    "request_id": "CASE WHEN instances > 1 THEN id || '/' || (i - 1) ELSE id END",
    "model": "model",
    "version": "version",
    "latency_ms": "CASE WHEN i = 1 THEN latency_ms END",
    "status": "status",
    "error": "error",
    "features": "CAST(COALESCE(features, '{}') AS JSON)",
}
"""Fields of a plain record. Time and latency are the request's, so the latency is counted once."""

"""Read JSON documents: an array of records, an object around one, or objects that follow each other.

A document is handed on once all of it proved whole. Until then its records are kept as lines of JSON, each written as
it is decoded: as objects, small ones would take more than twenty times as much memory as their text.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from mlwatch.roles.names import is_named
from mlwatch.sources.blocks import MAX_LINE_BYTES
from mlwatch.sources.segments import Piece, UnreadableFileError
from mlwatch.sources.streams import Fingerprint, Stream, digest, head_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mlwatch.sources.files import Found
    from mlwatch.sources.segments import Position

MAX_DOCUMENT_BYTES = 256 << 20
PART_CHARACTERS = 1 << 20
"""Text that is given to the decoder at once: it may build objects of all of it before it finds that the end lacks."""
LONGEST_MARK = 16
"""What is longer than every word and escape of JSON, such as `-Infinity`: before it a decoder tells what is wrong."""
COMMON_CHARACTERS = 200
"""Of a longer text that a document says once, none is each record's: there may be millions of them."""
NAMES = 10_000
"""Names that are kept, of a document's own fields or of its records'."""
_COMMON = ("timestamp", "model", "version")
"""Roles that a document may fill for all of its records."""
_BETWEEN = re.compile(r"[ \t\r\n,\0]*")
"""What separates values that follow each other."""
_ARRAY, _OBJECT, _NAMED, _ELEMENT, _FIELD = (
    re.compile(rf"[ \t\r\n]*([{marks}])[ \t\r\n]*") for marks in (r"\[", r"{", r":", r",\]", r",}")
)
"""Marks, with blanks around them: the beginnings, and what follows a name, an element and a field."""
_as_text = json.JSONEncoder().encode


def document_pieces(found: Found, at: Position, block: int) -> Iterator[Piece]:
    """Yield what a document holds behind a position, as lines of JSON.

    Args:
        found: The file.
        at: Where to go on.
        block: About how many bytes a piece has.

    Raises:
        UnreadableFileError: when it is too large, or not whole.
    """
    mark, text = _content(found)
    try:
        lines = _read(_Values(text), at.offset, block)
    except (ValueError, RecursionError) as error:
        raise UnreadableFileError(f"not a complete JSON document ({error})") from error
    del text
    start = at.offset
    for data, count in lines.blocks():
        yield Piece(found, start, start + count, start + 1, count, mark, data)
        start += count


def _content(found: Found) -> tuple[Fingerprint, str]:
    with Stream(found.path, found.identity) as stream:
        raw = stream.read(MAX_DOCUMENT_BYTES + 1)
    if stream.damage is not None:  # what is there may look whole: records that follow each other
        raise UnreadableFileError(f"the compressed data is damaged ({stream.damage})")
    if len(raw) > MAX_DOCUMENT_BYTES:
        raise UnreadableFileError("a JSON document of more than 256 MB: write one record a line instead")
    head = head_of(raw[:256], len(raw) // 2)
    text = raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")
    return Fingerprint(len(head), digest(head), 0, b""), text


class _Values:
    """Decode the values of a text one by one, each from a part of it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.position = 0
        self._start = 0
        """Where the part begins."""
        self._part = ""
        self._decode = json.JSONDecoder().raw_decode

    def back(self, position: int) -> None:
        """Return to an earlier position."""
        self.position = self._start = position
        self._part = ""

    def here(self) -> str:
        """Return the character at the position; empty at the end."""
        return self._text[self.position : self.position + 1]

    def skip(self) -> str:
        """Go behind what separates values, and return the character there."""
        self.position = _BETWEEN.match(self._text, self.position).end()  # type: ignore[union-attr]  # maybe empty
        return self.here()

    def mark(self, expected: re.Pattern[str]) -> str:
        """Go behind a mark that must come now, and return it."""
        found = expected.match(self._text, self.position)
        if found is None:
            raise ValueError(f"Expecting a separator or an end: character {self.position:,}")
        self.position = found.end()
        return found[1]

    def value(self) -> Any:
        """Return the value at the position, and go behind it."""
        while True:
            try:
                value, end = self._decode(self._part, self.position - self._start)
            except json.JSONDecodeError as error:
                if not (self._is_cut(error) and self._goes_on()):
                    raise ValueError(f"{error.msg}: character {self._start + error.pos:,}") from error
            else:
                if end < len(self._part) - 2 or not self._goes_on():  # "1" or "1e+" may be cut from a number
                    self.position = self._start + end
                    return value

    def _is_cut(self, error: json.JSONDecodeError) -> bool:
        """Tell whether the part may have ended within what could not be decoded."""
        return error.msg.startswith("Unterminated") or error.pos > len(self._part) - LONGEST_MARK

    def _goes_on(self) -> bool:
        """Take the next part, or a longer one where it began here already; tell whether there is more text in it."""
        seen = self._start + len(self._part)
        if self.position >= len(self._text) or (seen >= len(self._text) and self._part):
            return False
        again = self._part and self._start == self.position
        size = max(MAX_LINE_BYTES, 4 * len(self._part)) if again else PART_CHARACTERS
        self._start = self.position
        self._part = self._text[self._start : self._start + size]
        return True


class _Lines:
    """Records as lines of JSON, in blocks.

    Args:
        skipped: So many records are passed over.
        size: About how many bytes a block has.
    """

    def __init__(self, skipped: int, size: int) -> None:
        self.count = 0
        self._skipped, self._size = skipped, size
        self._blocks: list[tuple[bytes, int]] = []
        self._lines: list[bytes] = []
        self._bytes = 0
        self._common = b""

    def add(self, record: Any) -> None:
        """Write a record."""
        self.count += 1
        if self.count > self._skipped:
            line = _as_text(record).encode()
            self._lines.append(line)
            self._bytes += len(line)
            if self._bytes >= self._size:
                self._close()

    def complete(self, common: Mapping[str, Any]) -> None:
        """Give every record, each an object, fields that it has none of the same name of."""
        self._common = _as_text(common)[1:-1].encode()

    def blocks(self) -> Iterator[tuple[bytes, int]]:
        """Yield text and number of lines, and forget them."""
        self._close()
        for data, count in _taken(self._blocks):
            yield (_with_common(data, self._common) if self._common else data), count

    def _close(self) -> None:
        if self._lines:
            self._blocks.append((b"\n".join(self._lines) + b"\n", len(self._lines)))
        self._lines, self._bytes = [], 0


def _taken(blocks: list[tuple[bytes, int]]) -> Iterator[tuple[bytes, int]]:
    blocks.reverse()
    while blocks:
        yield blocks.pop()


def _with_common(data: bytes, common: bytes) -> bytes:
    lines = data.split(b"\n")[:-1]
    return b"".join(b"{" + common + (b"}\n" if line == b"{}" else b", " + line[1:] + b"\n") for line in lines)


def _read(values: _Values, skipped: int, size: int) -> _Lines:
    if values.skip() == "{":
        start = values.position
        lines = _enveloped(values, skipped, size)
        if lines is not None and not values.skip():
            return lines
        values.back(start)
    lines = _Lines(skipped, size)
    while first := values.skip():
        if first == "[":
            for record in _array(values):
                lines.add(record)
        else:
            lines.add(values.value())
    return lines


def _array(values: _Values) -> Iterator[Any]:
    """Yield the elements of an array, and go behind it."""
    values.mark(_ARRAY)
    if values.here() == "]":
        values.position += 1
        return
    yield values.value()
    while values.mark(_ELEMENT) == ",":
        yield values.value()


def _enveloped(values: _Values, skipped: int, size: int) -> _Lines | None:
    """Return the records of the only list in an object; None where it is no object around records."""
    lines: _Lines | None = None
    own, said, named = _Own(), dict[str, Any](), None
    separator = values.mark(_OBJECT)
    while separator != "}" and values.here() == '"':
        name = values.value()
        values.mark(_NAMED)
        if values.here() != "[":
            said[name] = values.value()
        else:
            if name == named:  # said again: the later one holds
                lines, own = None, _Own()
            found = _Lines(skipped, size)
            for record in _array(values):
                if lines is not None or not isinstance(record, dict):
                    return None
                own.add(record)
                found.add(record)
            lines, named = (found, name) if found.count else (lines, named)
        if len(said) > NAMES:
            return None
        separator = values.mark(_FIELD)
    if separator != "}" or lines is None:
        return None
    lines.complete(_common(said, own.roles()))
    return lines


class _Own:
    """Which of the roles that a document may fill its records name themselves."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._roles: set[str] = set()

    def add(self, names: Iterable[str]) -> None:
        """Take the names of a record's fields."""
        self._names.update(names)
        if len(self._names) > NAMES:
            self.roles()

    def roles(self) -> set[str]:
        """Return the roles that were named so far."""
        self._roles |= {role for role in _COMMON if any(is_named(role, (name,)) for name in self._names)}
        self._names.clear()
        return self._roles


def _common(document: Mapping[str, Any], own: set[str]) -> dict[str, Any]:
    """Return the time, model and version that a document says once, where its records name none of their own.

    Args:
        document: It has the list of records.
        own: The roles that the records name.
    """
    said = {name: value for name, value in document.items() if isinstance(value, str | int | float)}
    roles = [role for role in _COMMON if role not in own]
    return {
        name: value
        for name, value in said.items()
        if len(str(value)) <= COMMON_CHARACTERS and any(is_named(role, (name,)) for role in roles)
    }

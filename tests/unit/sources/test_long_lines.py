"""Lines of a megabyte that are made to be tried over and over: what looks at lines goes through each once.

Where one did so from each place in the line, each of these would take hours.
"""

from __future__ import annotations

import subprocess
import sys

PATIENCE_S = 120

OUTLINES = r"""
from pathlib import Path
from mlwatch.config import RoleSettings
from mlwatch.sources.shapebook import ShapeBook
from mlwatch.store.memory import recall

book = ShapeBook(Path(), RoleSettings(), {}, recall)
plain = b'{"timestamp": "2026-01-01T00:00:00Z", "prediction": 1, "prompt": "%s"}'
for prompt in (b"short", b"short", b'\\"' * 500_000, b'\\"a\\": {' * 100_000, b"{" * 1_000_000):
    found = book.records("k", plain % prompt)
    book.fit("k", "jsonl", found, "a.jsonl")
    print(len(found))
for damaged in (b'"' + b'\\"' * 500_000, b'"' * 1_000_000, b'"a" ' * 250_000, b'"a"' + b" " * 1_000_000):
    print(len(book.records("k", damaged)))
"""


def printed(program: str) -> list[str]:
    """Run a program that would hang, and hold the interpreter, if it were wrong."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    return done.stdout.split()


def test_quotes_and_braces_in_a_text_cost_no_more_than_its_length() -> None:
    assert printed(OUTLINES) == ["1", "1", "0", "0", "0", "0", "0", "0", "0"]


PAIRS = r"""
from pathlib import Path
from mlwatch.sources.files import format_of
from mlwatch.sources.wrapped import unwrapped

quoted = b'at=1 text="' + b'\\"' * 500_000
for line in (b"a" * 1_000_000, b"a1." * 300_000, b"7" * 1_000_000, b'a="' * 300_000, b"a= " * 300_000, quoted):
    print(format_of(line, "app.log", Path("app.log")).split()[0], len(unwrapped(line)))
    print(unwrapped(b"score=0.5 id=r1 model=m word=" + line).count(b'"score": 0.5'))
"""


def test_a_line_of_one_word_costs_no_more_than_its_length() -> None:
    assert printed(PAIRS) == ["!neither", "0", "1"] * 6


CONFIGURED = r"""
from mlwatch.config.lines import line_of

for word in ("a", " ", ".", '"', "a.", ". "):
    print(line_of("x = [\n" + word * 300_000 + "\n]\ny = 1\n", ("y",)))
"""


def test_a_long_word_in_the_configuration_costs_no_more_than_its_length() -> None:
    assert printed(CONFIGURED) == ["4"] * 6


NAMED = r"""
from mlwatch.sources.shapes import shape_key

for name in ("1-" * 100 + "a", "1." * 100 + "a", ".1" * 100 + "a", "a" + "-1" * 100):
    print(shape_key(name, "jsonl") == shape_key(name.replace("1", "27"), "jsonl"))
"""


def test_the_kind_of_a_file_with_many_numbers_in_its_name_is_told_at_once() -> None:
    assert printed(NAMED) == ["True"] * 4

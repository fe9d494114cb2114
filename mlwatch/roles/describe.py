"""Write what was inferred as a commented `[roles]` section."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mlwatch.elements import dotted
from mlwatch.errors import one_line
from mlwatch.roles.own_ids import BESIDE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlwatch.roles.types import Mapping

_WIDTH = 100
_MOST_NAMES = 200
_LONGEST_NAME = 400


def describe(mapping: Mapping) -> str:
    """Write a mapping as TOML that reads back to the same roles, with the reasons as comments."""
    lines = ["[roles]"]
    for role, path in mapping.roles.items():
        line = f"{role} = {quoted(dotted(path))}  # {_comment(mapping.reasons.get(role, ''))}".rstrip(" #")
        # one that is written is the only one, and sure: several are found anew, and so is what may be an id
        anew = mapping.others.get(role) or mapping.reasons.get(role) == BESIDE
        lines.append(f"# {line}" if anew else line)
    for name, value in mapping.constants.items():
        if name not in mapping.roles:
            lines.append(f"# {name} is {quoted(value)}: {_comment(mapping.reasons.get(name, ''))}")
    for kind in ("numeric", "categorical"):
        lines += _names(kind, (one.name for one in mapping.features if one.kind == kind))
    for path in mapping.ignored[:_MOST_NAMES]:
        reason = mapping.reasons.get(f"ignored:{dotted(path)}", "")
        lines.append(f"# not used: {quoted(dotted(path))}: {_comment(reason)}")
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """Write text as a TOML string, on one line and with what no terminal shows as escapes."""
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(_visible(character) for character in json.dumps(clean, ensure_ascii=False))


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return f"\\u{ord(character):04x}" if character <= "\uffff" else f"\\U{ord(character):08x}"


def _comment(text: str) -> str:
    return one_line(text)


def _names(kind: str, names: Iterable[str]) -> list[str]:
    """Write a list of names as a comment, several to a line; without the comment's marks it is a setting."""
    every = [quoted(name) for name in names]
    shown = [name for name in every if len(name) <= _LONGEST_NAME][:_MOST_NAMES]
    lines, line = [], f"# {kind} = ["
    for place, name in enumerate(shown):
        text = name if place == len(shown) - 1 else f"{name}, "
        if len(line) + len(text) > _WIDTH:
            lines.append(line.rstrip())
            line = "#   "
        line += text
    more = f"  # and {len(every) - len(shown):,} more" if len(shown) < len(every) else ""
    return [*lines, f"{line}]{more}"] if every else []

"""Models and versions that only a file's path tells."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlwatch.roles.names import normal, rank

if TYPE_CHECKING:
    from pathlib import PurePath

TEMPLATE = "path:"
NO_VERSION = "-"
"""The version of records that carry none."""

_TOKEN = re.compile(r"\{(\w+)\}|(\*\*|\*|\.\.\.|…)")
_PARTITION = re.compile(r"([^=]+)=(.+)")
_DATE_LIKE = re.compile(r"[\d\-_.T:]+Z?", re.ASCII)


def match_template(template: str, path: PurePath) -> dict[str, str]:
    """Return what a template such as `path:{model}/{version}/*` reads from a path; {} if it does not fit.

    A part in braces is one name, `*` anything within one directory, `**` and `…` anything. Whatever follows
    the template's last directory may follow.
    """
    match = re.fullmatch(_expression(template.removeprefix(TEMPLATE)), path.as_posix())
    return {} if match is None else {name: value for name, value in match.groupdict().items() if value}


def _expression(template: str) -> str:
    parts, position = [], 0
    names: set[str] = set()
    for token in _TOKEN.finditer(template):
        parts.append(re.escape(template[position : token.start()]))
        parts.append(_part(token, names))
        position = token.end()
    parts.append(re.escape(template[position:].rstrip("/")))
    return "".join(parts) + "(?:/.*)?"


def _part(token: re.Match[str], names: set[str]) -> str:
    name = token[1]
    if name is None:
        return "[^/]*" if token[2] == "*" else ".*"
    if not name.isidentifier() or not name.isascii():
        return "[^/]+?"
    if name in names:
        return f"(?P={name})"
    names.add(name)
    return f"(?P<{name}>[^/]+?)"


def from_directories(path: PurePath, root_name: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return model and version as the directories tell, and why.

    Directories `model=a/version=b` say it outright; else the model is the nearest directory that is no date.

    Args:
        path: The file's path below the log directory.
        root_name: The log directory's own name.
    """
    constants, reasons = {"version": NO_VERSION}, {"version": "no column names a version"}
    directory = root_name
    for parent in path.parent.parts:
        partition = _PARTITION.fullmatch(parent)
        if partition is None:
            directory = directory if _DATE_LIKE.fullmatch(parent) else parent
            continue
        for role in ("model", "version"):
            if rank(role, (normal(partition[1]) or "_",)) is not None:
                constants[role], reasons[role] = partition[2], f"the directory {parent}"
    if "model" not in constants:
        constants["model"], reasons["model"] = directory or NO_VERSION, "the directory's name"
    return constants, reasons

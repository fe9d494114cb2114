"""`mlwatch --print-completion SHELL`: a completion script, made from the parser itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mlwatch.arguments import commands_of, parser
from mlwatch.errors import InputError

if TYPE_CHECKING:
    from argparse import Namespace


def run(arguments: Namespace) -> int:
    """Print the script."""
    try:
        import shtab  # noqa: PLC0415  only for this
    except ImportError as error:
        raise InputError(
            "completion needs one more package", "shtab", "pip install 'mlwatch[completion]'"
        ) from error
    top = parser()
    for command in commands_of(top).values():
        for action in command._actions:  # noqa: SLF001  argparse has no public list
            if action.type is Path:
                action.complete = shtab.FILE  # type: ignore[attr-defined]  # how shtab wants to be told
    sys.stdout.write(shtab.complete(top, shell=arguments.print_completion))
    return 0

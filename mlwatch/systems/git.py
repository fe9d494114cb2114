"""The version of the code beside which mlwatch runs, asked of git."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

WAIT_S = 5.0
"""Most time that git may take: on a slow disk the version is unknown rather than late."""
COMMIT = re.compile(rb"^# branch\.oid ([0-9a-f]{40,64})$", re.MULTILINE)
QUIET = ("-c", "core.fsmonitor=false", "-c", "core.quotePath=true", "--no-optional-locks")
"""Settings of a repository that would start a program stay unused; nothing is written."""


def code_version(config: Path | None = None) -> str | None:
    """Return the commit of the current directory, or else of the given configuration's.

    The log directory is never asked about: what a log brings along shall not decide what git does.

    Args:
        config: A configuration file that the user named.

    Returns:
        The full hash, with `-dirty` where tracked files have uncommitted changes; None without git or a commit.
    """
    # "." may be entered even where the current directory was deleted and has no path any more
    places = [Path(), *([config.resolve().parent] if config is not None else [])]
    return next((version for version in map(_version, places) if version), None)


def _version(directory: Path) -> str | None:
    command = ["git", *QUIET, "status", "--porcelain=v2", "--branch", "--untracked-files=no"]
    try:
        done = subprocess.run(
            command, cwd=directory, capture_output=True, timeout=WAIT_S, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = COMMIT.search(done.stdout)
    if found is None:  # a repository without a commit
        return None
    changed = any(line and not line.startswith(b"#") for line in done.stdout.splitlines())
    return found[1].decode() + ("-dirty" if changed else "")

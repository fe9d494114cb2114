"""Take a directory in, then what is added to it, and say what came of it and how much more memory that took.

Run as `python frugal.py DIRECTORY ADDED DATABASE`; ADDED is moved into DIRECTORY.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mlwatch.session import Options, Session


def most_memory() -> float:
    """Return the most memory that this process had, in MB: `ru_maxrss` would include its parent's."""
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1000


def main(logs: Path, added: Path, database: Path) -> None:
    """Print the counts, the alerts and the growth as JSON."""
    with Session(Options(logs, db=database)) as session:
        session.ingest_all()
        session.snapshot()
        before = most_memory()
        added.rename(logs / added.name)
        session.ingest_all()
        found = session.snapshot()
        files = session.connection.execute("SELECT path, records, rejected FROM files").fetchall()
    said = {
        "files": {path: [records, rejected] for path, records, rejected in files},
        "predictions": found.ingest.predictions,
        "alerts": [alert.message for alert in found.alerts],
        "grown": most_memory() - before,
    }
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

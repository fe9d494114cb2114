"""Run mlwatch as `python -m mlwatch`."""

from __future__ import annotations

from mlwatch.cli import main

if __name__ == "__main__":
    raise SystemExit(main())

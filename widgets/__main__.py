"""Show all widgets: `python -m widgets [--ascii] [--light] [--still]`."""

from __future__ import annotations

import argparse

from widgets.gallery import Gallery


def main() -> None:
    """Run the gallery."""
    parser = argparse.ArgumentParser(prog="python -m widgets", description="Show all widgets, live.")
    parser.add_argument("--ascii", action="store_true", help="draw with ASCII characters only")
    parser.add_argument("--light", action="store_true", help="use a light theme")
    parser.add_argument("--still", action="store_true", help="do not move")
    options = parser.parse_args()
    Gallery(ascii_only=options.ascii, light=options.light, still=options.still).run()


if __name__ == "__main__":
    main()

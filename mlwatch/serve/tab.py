"""The process of one tab: `python -m mlwatch.serve.tab`, started by the server with its place in the environment."""

from __future__ import annotations

import base64
import json
import os
import sys

PLACE = "MLWATCH_TAB"
"""Environment variable with the owner's address, key, the tab's ticket and the options, as JSON."""


def main() -> int:
    """Run the app over the owner's store; end with it."""
    place = json.loads(os.environ.pop(PLACE))  # popped: nothing that this process starts needs it
    from mlwatch.app.app import MlwatchApp  # noqa: PLC0415  Textual reads the environment of the web driver
    from mlwatch.app.options import AppOptions  # noqa: PLC0415
    from mlwatch.serve.remote import Line, RemoteSource  # noqa: PLC0415

    line = Line(place["address"], base64.b64decode(place["key"]), place["ticket"])
    source = RemoteSource(
        place["title"], line, on_lost=lambda: os._exit(0)
    )  # the server has gone: so does its tab
    app = MlwatchApp(source, options=AppOptions(**place["options"]))
    app.run()
    return app.return_code or 0


if __name__ == "__main__":
    sys.exit(main())

"""Secrets are planted in every place that may hold one, and looked for in everything that mlwatch shows or keeps."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from mlwatch.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

PLANTED = {
    "CANARY_TOKEN": "canary-in-a-header",
    "CANARY_NOTIFY": "json://127.0.0.1:9/canary-in-notify",
    "CANARY_HOOK": "http://127.0.0.1:9/canary-in-a-webhook",
    "CANARY_REGISTRY": "canary-in-the-registry",
}
IN_FILE, IN_URL = "canary-in-a-file", "canary-in-a-url"
CONFIG = """
[registry]
mlflow = "{url}"
token = "env:CANARY_REGISTRY"
write = true

[notify]
urls = ["env:CANARY_NOTIFY"]

[rollout]
webhook = "env:CANARY_HOOK"

[[rule]]
metric = "accuracy"
when = "> 0%"

[[endpoint]]
url = "{url}"
interval = "1s"
headers = {{Authorization = "env:CANARY_TOKEN", X-Key = "file:key.txt"}}
conditions = ["status == 200"]

[[endpoint]]
url = "http://user:{password}@127.0.0.1:9"
"""


class _Refuses(BaseHTTPRequestHandler):
    """Answers 401, and says back what it was sent, as careless servers do."""

    sent: tuple[str, ...] = ()

    def do_GET(self) -> None:
        type(self).sent += tuple(self.headers.get(name) or "" for name in ("Authorization", "X-Key"))
        body = f"refused: {self.headers}".encode()
        self.send_response(401)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("WWW-Authenticate", f"Bearer error={self.headers.get('Authorization')}")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Refuses)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    directory = tmp_path / "logs"
    directory.mkdir()
    (directory / "a.jsonl").write_text(
        "".join(
            f'{{"ts": "2026-03-14T00:{n % 60:02d}:00Z", "id": "{n}", "version": "v{n % 2}", '
            '"prediction": 1, "label": 1}\n'
            for n in range(120)
        )
    )
    (directory / "key.txt").write_text(IN_FILE)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    (directory / "mlwatch.toml").write_text(CONFIG.format(url=url, password=IN_URL))
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    yield directory
    server.shutdown()
    server.server_close()


def found_in(text: str) -> list[str]:
    """Return the secrets that a text tells."""
    words = [value.rpartition("/")[2] for value in (*PLANTED.values(), IN_FILE, IN_URL)]
    return [word for word in words if word in text]


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    "command",
    [
        ["check", "--format", "text"],
        ["check", "--format", "json"],
        ["check", "--format", "junit", "--debug"],
        ["report", "--format", "json"],
        ["report", "--format", "md"],
        ["report", "--format", "html"],
        ["export", "--to", "prometheus"],
        ["init", "--stdout", "--force"],
    ],
    ids=" ".join,
)
def test_no_output_tells_a_secret(
    logs: Path, command: list[str], capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    code = main([command[0], str(logs), *command[1:]])
    out, err = capfd.readouterr()
    assert code in (0, 1, 3), err
    assert out
    assert found_in(out + err + caplog.text) == []
    assert found_in("a canary-in-a-header in it") == ["canary-in-a-header"]


async def test_neither_the_app_nor_its_store_tells_a_secret(
    logs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from mlwatch.app.app import MlwatchApp
    from mlwatch.app.options import AppOptions
    from mlwatch.arguments import parser
    from mlwatch.commands.watch import LazySource

    caplog.set_level("INFO")
    source = LazySource(parser().parse_args(["watch", str(logs)]))
    app = MlwatchApp(source, options=AppOptions(mouse=False))
    drawn = ""
    async with app.run_test(size=(200, 60)) as pilot:
        await pilot.press("4")
        for _ in range(600):
            await pilot.pause(0.1)
            drawn = app.export_screenshot()
            if "401" in drawn:
                break
        assert "401" in drawn, "the endpoint's answer is on the screen"
        for key in ("1", "a"):
            await pilot.press(key)
            await pilot.pause(0.2)
            drawn += app.export_screenshot()
    assert {"canary-in-a-header", IN_FILE} <= set(_Refuses.sent), "the secrets are used"
    assert found_in(drawn + caplog.text) == []
    kept = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert any(path.suffix == ".duckdb" for path in kept)
    assert found_in("".join(path.read_bytes().decode("latin-1") for path in kept)) == []

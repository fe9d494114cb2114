from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import psutil
import pytest

from mlwatch.host.processes import ProcessReader
from mlwatch.host.sampler import Sampler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mlwatch.host.types import Process

SERVER = """
import socket, sys, time
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print(flush=True)
time.sleep(60)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "oddly_named_server.py"
    path.write_text(SERVER)
    return path


@pytest.fixture
def start(script: Path) -> Iterator[Callable[[int], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def begin(port: int) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, str(script), str(port)], stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield begin
    for process in started:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def only(found: tuple[Process, ...]) -> Process:
    assert len(found) == 1
    return found[0]


def test_a_sample_agrees_with_the_system(tmp_path: Path) -> None:
    sampler = Sampler([str(tmp_path), "/no/such/place"])
    first, second = sampler.sample(), sampler.sample()
    sampler.close()
    assert first.cpu is None
    assert second.cpu is not None
    assert 0 <= second.cpu <= 1
    assert len(second.cores) == psutil.cpu_count()
    assert second.memory_total_bytes == psutil.virtual_memory().total
    assert [disk.path for disk in second.disks] == [str(tmp_path)]
    assert second.disks[0].total_bytes == psutil.disk_usage(str(tmp_path)).total
    assert second.received_bytes_per_s is None or second.received_bytes_per_s >= 0
    assert second.at.tzinfo is not None


def test_processes_are_found_by_id_port_and_name_of_the_script(
    start: Callable[[int], subprocess.Popen[bytes]],
) -> None:
    port = free_port()
    process = start(port)
    for wanted in (str(process.pid), f":{port}", "oddly_named_server", "oddly_named_server.py"):
        found = only(ProcessReader([wanted]).read())
        assert (found.wanted, found.pid) == (wanted, process.pid)
        assert found.rss_bytes is not None
        assert found.rss_bytes > 1_000_000
        assert found.threads == 1


def test_a_replaced_process_is_a_restart_and_a_missing_one_is_said(
    start: Callable[[int], subprocess.Popen[bytes]],
) -> None:
    reader = ProcessReader(["oddly_named_server"])
    assert only(reader.read()).pid is None
    process = start(free_port())
    assert only(reader.read()).restarts == 0
    end(process)
    assert only(reader.read()).pid is None
    again = start(free_port())
    found = only(reader.read())
    assert (found.pid, found.restarts) == (again.pid, 1)


def test_more_of_a_kind_are_no_restart(start: Callable[[int], subprocess.Popen[bytes]]) -> None:
    reader = ProcessReader(["oddly_named_server"])
    start(free_port())
    reader.read()
    start(free_port())
    assert [found.restarts for found in reader.read()] == [0, 0]


def test_cpu_is_in_cores_since_the_last_look() -> None:
    reader = ProcessReader([str(os.getpid())])
    assert only(reader.read()).cpu is None
    end_at = time.process_time() + 0.2
    began, used = time.monotonic(), time.process_time()
    while time.process_time() < end_at:
        pass
    share = (time.process_time() - used) / (time.monotonic() - began)
    assert only(reader.read()).cpu == pytest.approx(share, abs=0.35)


def test_temperatures_are_told_where_the_system_has_any(monkeypatch: pytest.MonkeyPatch) -> None:
    core = [SimpleNamespace(label="Core 0", current=71.0), SimpleNamespace(label="", current=None)]
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: {"coretemp": core}, raising=False)
    assert Sampler().sample().temperatures_c == {"coretemp Core 0": 71.0}
    monkeypatch.delattr(psutil, "sensors_temperatures")  # macOS
    assert Sampler().sample().temperatures_c == {}


def test_names_that_match_nothing_are_harmless() -> None:
    wanted = ["", ":", ":nonsense", ":999999", "-1", "$(reboot)", "x" * 10_000]
    assert [found.pid for found in ProcessReader(wanted).read()] == [None] * len(wanted)

"""Users of the demo: requests, logs of the answers, and labels and events that come later."""

from __future__ import annotations

import heapq
import json
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from mlwatch.demo.model import NAME, TRUTH, draw, score

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

LABEL_DELAY_S = (2.0, 8.0)
"""Shortest and longest time after which it is known whether a payment was charged back."""


class Traffic:
    """Sends requests at a steady rate and writes what came of them.

    Args:
        directory: Where logs are written.
        route: Returns version and address for a number between 0 and 1 that is drawn for each request.
        rate: Requests a second.
        seed: Of the random numbers.
        users: Threads that send.
    """

    def __init__(
        self,
        directory: Path,
        route: Callable[[float], tuple[str, str]],
        rate: float,
        seed: int = 7,
        users: int = 4,
    ) -> None:
        self._directory, self._route = directory, route
        self._pause = users / rate
        self._seeds = np.random.SeedSequence(seed).spawn(users)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._later: list[tuple[float, str, str]] = []
        self._threads = [
            threading.Thread(target=self._use, args=(seed,), daemon=True) for seed in self._seeds
        ]
        self._threads.append(threading.Thread(target=self._write_later, daemon=True))
        self.sent = 0
        """Requests so far."""

    def start(self) -> None:
        """Begin to send."""
        for name in ("predictions", "labels", "events"):
            (self._directory / name).mkdir(parents=True, exist_ok=True)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End sending."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=5)

    def _use(self, seed: np.random.SeedSequence) -> None:
        import httpx  # noqa: PLC0415  slow to import

        random = np.random.default_rng(seed)
        with httpx.Client(timeout=2.0, trust_env=False) as client:
            while not self._stopping.wait(float(random.exponential(self._pause))):
                self._request(client, random)

    def _request(self, client: httpx.Client, random: np.random.Generator) -> None:
        import httpx  # noqa: PLC0415

        version, url = self._route(float(random.random()))
        features, began, now = draw(random), time.monotonic(), datetime.now(UTC)
        answer: dict[str, Any] = {}
        try:
            response = client.post(f"{url}/predict", json=features)
            status = response.status_code
            answer = response.json() if status == 200 else {}
        except httpx.HTTPError:
            status = 502
        record = {
            "timestamp": now.isoformat(), "request_id": uuid.UUID(bytes=random.bytes(16)).hex, "model": NAME,
            "version": version, "features": answer.get("features", features), "prediction": answer.get("prediction"),
            "score": answer.get("score"), "latency_ms": round((time.monotonic() - began) * 1000, 2), "status": status,
        }  # fmt: skip
        self._append("predictions", record)
        if answer:
            self._foresee(record, features, random)

    def _foresee(self, record: dict[str, Any], features: dict[str, Any], random: np.random.Generator) -> None:
        """Decide what will become of a payment: its label, and a purchase where it was let through."""
        label = int(random.random() < score(TRUTH, features))
        at = time.monotonic() + float(random.uniform(*LABEL_DELAY_S))
        later = [("labels", {"request_id": record["request_id"], "label": label})]
        if record["prediction"] == 0 and label == 0 and random.random() < 0.8:
            purchase = {"request_id": record["request_id"], "event": "purchase", "value": features["amount"]}
            later.append(("events", {**purchase, "currency": "EUR"}))
        with self._lock:
            for kind, line in later:
                heapq.heappush(self._later, (at, kind, json.dumps(line)))

    def _write_later(self) -> None:
        while not self._stopping.wait(0.2):
            now, due = time.monotonic(), []
            with self._lock:
                while self._later and self._later[0][0] <= now:
                    due.append(heapq.heappop(self._later))
            for _, kind, text in due:
                self._append(kind, {**json.loads(text), "timestamp": datetime.now(UTC).isoformat()})

    def _append(self, kind: str, record: dict[str, Any]) -> None:
        with self._lock, (self._directory / kind / f"{kind}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
            self.sent += kind == "predictions"

"""One version of the model behind FastAPI; started as `python -m mlwatch.demo.server`."""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mlwatch.demo.model import NAME, VERSIONS, score

if TYPE_CHECKING:
    from collections.abc import Iterator

FAULT_MS = 45.0
"""What looking a feature up again and again costs, on average."""
FAULT_ERRORS = 0.04
FAULT_FACTOR = 100.0
"""The faulty look-up gives cents where the model learnt euros."""


class Meter:
    """What the server says about itself, under the names that libraries for FastAPI use."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector  # noqa: PLC0415

        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter("http_requests", "Answers.", ["handler", "status"], registry=self.registry)
        self._seconds = Histogram(
            "http_request_duration_seconds", "Time to answer.", ["handler"], registry=self.registry,
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
        )  # fmt: skip
        self._waiting = Gauge(
            "http_requests_in_progress", "Requests not answered yet.", registry=self.registry
        )

    @contextmanager
    def counting(self, handler: str) -> Iterator[None]:
        """Count a request; one that raises is counted as unavailable."""
        began, status = time.perf_counter(), "503"
        self._waiting.inc()
        try:
            yield
            status = "200"
        finally:
            self._waiting.dec()
            self._requests.labels(handler, status).inc()
            self._seconds.labels(handler).observe(time.perf_counter() - began)


def application(version: str, *, faulty: bool) -> Any:
    """Return the application of one version.

    Args:
        version: Of the model.
        faulty: Whether the look-up of a feature is broken.
    """
    from fastapi import FastAPI, HTTPException  # noqa: PLC0415  optional
    from prometheus_client import make_asgi_app  # noqa: PLC0415

    weights, meter = VERSIONS[version], Meter()
    app = FastAPI(title=NAME, version=version)
    app.mount("/metrics", make_asgi_app(meter.registry))

    @app.get("/healthz")
    async def alive() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
    async def ready() -> dict[str, str]:
        return {"status": "ready"}

    @app.get("/version")
    async def served() -> dict[str, str]:
        return {"model": NAME, "version": version}

    @app.post("/predict")
    async def predict(features: dict[str, Any]) -> dict[str, Any]:
        with meter.counting("/predict"):
            await asyncio.sleep(random.gammavariate(4, 0.002))
            if faulty:
                await asyncio.sleep(random.expovariate(1000 / FAULT_MS))
                if random.random() < FAULT_ERRORS:  # noqa: S311  the same
                    raise HTTPException(503, "feature store timed out")
                features = {**features, "amount": round(features["amount"] * FAULT_FACTOR, 2)}
            found = score(weights, features)
        return {"prediction": int(found >= 0.5), "score": found, "features": features}

    return app


def main() -> None:
    """Serve until a signal."""
    import uvicorn  # noqa: PLC0415  optional

    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--version", choices=sorted(VERSIONS), required=True)
    parser.add_argument("--faulty", action="store_true")
    given = parser.parse_args()
    app = application(given.version, faulty=given.faulty)
    uvicorn.run(app, host="127.0.0.1", port=given.port, log_level="critical", access_log=False)


if __name__ == "__main__":
    main()

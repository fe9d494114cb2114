"""A BentoML service that multiplies."""

import os

import bentoml


@bentoml.service(name="times")
class Times:
    @bentoml.api
    def predict(self, instances: list[list[float]]) -> list[float]:
        return [float(row[0]) * float(os.environ["FACTOR"]) for row in instances]

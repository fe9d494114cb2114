"""A TorchServe handler that multiplies, without any model file."""

import json


class Times:
    def initialize(self, context):
        self.factor = 2.0

    def handle(self, data, context):
        rows = [row.get("body") or row.get("data") for row in data]
        found = [json.loads(row) if isinstance(row, (bytes, bytearray, str)) else row for row in rows]
        return [{"probs": [value * self.factor for value in row["x"]]} for row in found]

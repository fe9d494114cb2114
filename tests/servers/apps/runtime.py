"""An MLServer runtime that multiplies, and takes its time to load."""

import asyncio

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse


class Times(MLModel):
    async def load(self):
        extra = self.settings.parameters.extra
        await asyncio.sleep(extra.get("seconds", 0))
        self.factor = extra["factor"]
        return True

    async def predict(self, payload):
        values = NumpyCodec.decode_input(payload.inputs[0]) * self.factor
        return InferenceResponse(
            model_name=self.name, model_version=self.version, outputs=[NumpyCodec.encode_output("y", values)]
        )

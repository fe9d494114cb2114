"""A Ray Serve application that multiplies."""

import os

from ray import serve


@serve.deployment
class Times:
    async def __call__(self, request):
        rows = (await request.json())["instances"]
        return {"predictions": [row * float(os.environ["FACTOR"]) for row in rows]}


app = Times.bind()

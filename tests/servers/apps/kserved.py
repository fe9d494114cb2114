"""A model of KServe's Python server that multiplies, beside one that is not ready any more after a second."""

import sys
import threading

from kserve import InferOutput, InferResponse, Model, ModelServer


class Times(Model):
    def __init__(self, name):
        super().__init__(name)
        self.ready = True

    def break_down(self):
        self.ready = False

    def predict(self, payload, headers=None, response_headers=None):
        values = [value * 2.0 for value in payload.inputs[0].data]
        found = InferOutput(name="y", shape=[len(values)], datatype="FP32", data=values)
        return InferResponse(response_id="1", model_name=self.name, infer_outputs=[found])


if __name__ == "__main__":
    models = [Times("fraud"), Times("other")]
    threading.Timer(1.0, models[1].break_down).start()
    ModelServer(http_port=int(sys.argv[1]), enable_grpc=False, workers=1).start(models)

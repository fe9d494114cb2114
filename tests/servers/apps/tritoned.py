"""Start the Triton server that the wheel of PyTriton brings, on a repository of models of its Python backend.

`fraud` multiplies and has versions 6 and 7; `broken`, where it is asked for, cannot be loaded.
"""

import os
import shutil
import sys
from pathlib import Path

from pytriton.utils.distribution import get_libs_path, get_root_module_path, get_stub_path

MODEL = """
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def initialize(self, args):
        self.factor = {factor}

    def execute(self, requests):
        found = []
        for request in requests:
            values = pb_utils.get_input_tensor_by_name(request, "x").as_numpy()
            found.append(pb_utils.InferenceResponse([pb_utils.Tensor("y", values * self.factor)]))
        return found
"""
CONFIG = """
name: "{name}"
backend: "python"
input [{{ name: "x", data_type: TYPE_FP32, dims: [-1, -1] }}]
output [{{ name: "y", data_type: TYPE_FP32, dims: [-1, -1] }}]
version_policy: {{ all {{ }} }}
"""


def model(repository, name, version, source):
    directory = repository / name / version
    directory.mkdir(parents=True)
    (repository / name / "config.pbtxt").write_text(CONFIG.format(name=name))
    (directory / "model.py").write_text(source)


repository, server = Path("repository"), Path("tritonserver").resolve()
for version in ("6", "7"):
    model(repository, "fraud", version, MODEL.format(factor="2.0"))
if "broken" in sys.argv:
    model(repository, "broken", "1", "import no_such_module")
shutil.copytree(get_root_module_path() / "tritonserver", server)
stub = get_stub_path(f"{sys.version_info.major}.{sys.version_info.minor}")
shutil.copy(stub, server / "backends" / "python" / "triton_python_backend_stub")
http, grpc, metrics = sys.argv[1:4]
program = str(server / "bin" / "tritonserver")
os.execve(
    program,
    [
        program, "--model-repository", "repository", "--backend-directory", str(server / "backends"),
        "--http-address", "127.0.0.1", "--http-port", http, "--grpc-port", grpc, "--metrics-port", metrics,
        "--exit-on-error", "false", "--strict-readiness", "false",
    ],
    {**os.environ, "LD_LIBRARY_PATH": str(get_libs_path())},
)  # fmt: skip

from __future__ import annotations

import subprocess
import sys

HEAVY = {
    *("scipy.stats", "pandas", "duckdb", "textual", "sklearn", "pyarrow"),
    *("numpy.f2py", "numpy.polynomial", "numpy.random", "numpy.testing"),
}
MODULES = (
    "bin_sql bins business compat confusion curves distances drift drift_types estimate estimation intervals latency "
    "loss_estimation performance quality raw_distances regression scores"
)


def test_metrics_never_import_what_is_heavy() -> None:
    imports = "; ".join(f"import mlwatch.metrics.{name}" for name in MODULES.split())
    code = f"import sys; {imports}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


def test_what_stood_in_while_scipy_was_imported_is_gone() -> None:
    named = "np.random.default_rng, np.testing.assert_equal, np.polynomial.Chebyshev"
    code = f"import mlwatch.metrics.scipy_special, numpy as np; print({named})"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_sql_of_the_bins_comes_without_numpy() -> None:
    code = "import sys, mlwatch.metrics.bin_sql; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "scipy"} & set(done.stdout.split())

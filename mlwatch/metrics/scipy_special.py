"""`scipy.special`, imported without NumPy's interface to Fortran and its helpers for tests.

SciPy copies every name of NumPy, and so imports `numpy.f2py`, `numpy.random` and `numpy.testing` with all that these
need: half of the time that the import takes, which is time before the first numbers are shown. A name that is there
already is not looked for.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

_STAND_INS = {
    name: ModuleType(f"numpy.{name}") for name in ("f2py", "random", "testing") if name not in vars(np)
}
vars(np).update(_STAND_INS)

from scipy import special  # noqa: E402
from scipy.special import bdtr, betaincc, betaln, chdtrc, fdtrc, gammaln, log_ndtr, xlogy  # noqa: E402

# from now on they are imported where somebody asks for them, as ever
for _name, _stand_in in _STAND_INS.items():
    if vars(np).get(_name) is _stand_in:
        delattr(np, _name)

__all__ = ["bdtr", "betaincc", "betaln", "chdtrc", "fdtrc", "gammaln", "log_ndtr", "special", "xlogy"]

"""`scipy.special`, imported without parts of NumPy that it has no use for.

SciPy copies every name of NumPy, and so imports what NumPy itself leaves until somebody asks for it: its interface to
Fortran, its helpers for tests, polynomials. That is most of the time that the import takes, which is
time before the first numbers are shown. A name that is there already is not looked for.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

_UNUSED = ("char", "ctypeslib", "f2py", "polynomial", "random", "testing")
_STAND_INS = {name: ModuleType(f"numpy.{name}") for name in _UNUSED if name not in vars(np)}
vars(np).update(_STAND_INS)

from scipy import special  # noqa: E402
from scipy.special import bdtr, betaincc, betaln, chdtrc, fdtrc, gammaln, log_ndtr, xlogy  # noqa: E402

# from now on they are imported where somebody asks for them, as ever
for _name, _stand_in in _STAND_INS.items():
    if vars(np).get(_name) is _stand_in:
        delattr(np, _name)

__all__ = ["bdtr", "betaincc", "betaln", "chdtrc", "fdtrc", "gammaln", "log_ndtr", "special", "xlogy"]

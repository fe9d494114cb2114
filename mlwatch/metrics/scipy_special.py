"""`scipy.special`, imported without NumPy's interface to Fortran.

SciPy copies every name of NumPy, and so imports `numpy.f2py` with all that this needs: a quarter of the time that the
import takes, which is time before the first numbers are shown. A name that is there already is not looked for.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

_STANDS_IN = "f2py" not in vars(np)
if _STANDS_IN:
    np.f2py = ModuleType("numpy.f2py")

from scipy import special  # noqa: E402
from scipy.special import bdtr, betaincc, betaln, chdtrc, fdtrc, gammaln, log_ndtr, xlogy  # noqa: E402

if _STANDS_IN:
    del np.f2py  # from now on it is imported where somebody asks for it, as ever

__all__ = ["bdtr", "betaincc", "betaln", "chdtrc", "fdtrc", "gammaln", "log_ndtr", "special", "xlogy"]

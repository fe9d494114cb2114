"""Let the tests of the app import their neighbours `factory` and `driving`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

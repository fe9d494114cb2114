"""How numbers are written as text, as patterns that Python and the engines read alike."""

from __future__ import annotations

GROUPED = "[+-]?[1-9][0-9]{0,2}((,[0-9]{3})+[.][0-9]+|(,[0-9]{3}){2,})"
"""A number with commas that can only separate thousands: `1,234.5` and `1,234,567`; `1,234` may be one and a bit."""
COMPOUND = "([0-9]+h)?[0-9]+m[0-9]+([.][0-9]+)?s"
"""How Go writes durations of a minute and more: `1m3.5s`, `1h0m0s`."""

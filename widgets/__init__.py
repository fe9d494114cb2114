"""Domain-free Textual widgets for monitors: they draw numpy arrays straight to terminal strips.

Every widget has pure functions that return pieces of text with the names of their styles (`Picture`), and a
class that turns these into strips, keeps them, and repaints after `update` only what changed. `python -m
widgets` shows them all. The modules are imported one by one: those for text, numbers, tables, states and
sparklines need no numpy.
"""

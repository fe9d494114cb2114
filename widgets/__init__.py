"""Domain-free Textual widgets for monitors: they draw numpy arrays straight to terminal strips."""

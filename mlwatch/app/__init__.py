"""The live terminal app: it renders snapshots and computes nothing."""

"""A rollout on this machine: a model served in two versions, traffic, late labels, and a fault half-way."""

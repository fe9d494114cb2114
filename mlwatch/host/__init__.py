"""The machine that mlwatch runs on: load, memory, disks, network, chosen processes, GPUs, limits of the container."""

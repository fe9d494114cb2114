"""Where records come from: a directory of log files, read block by block, whatever their format."""

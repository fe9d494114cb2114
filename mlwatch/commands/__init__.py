"""The commands, a module each: `run(arguments) -> exit code`."""

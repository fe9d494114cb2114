"""What a team already runs: exporters to and importers from other systems, each in a module of its own."""

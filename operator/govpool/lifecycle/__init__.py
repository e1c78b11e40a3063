"""What to do next, as pure functions of what was observed. No clock, no I/O: ``now`` is observed too."""

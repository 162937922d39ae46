"""The parts of `scripts/bench images`."""

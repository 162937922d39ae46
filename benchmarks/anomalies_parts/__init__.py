"""The parts of `scripts/bench anomalies`."""

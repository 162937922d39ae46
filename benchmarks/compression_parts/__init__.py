"""The parts of ``scripts/bench compression``."""

"""The parts of ``scripts/bench compression``, a file each."""

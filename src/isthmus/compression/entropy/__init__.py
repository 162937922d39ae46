"""Entropy coding and integer arithmetic that give the same bits on every machine."""

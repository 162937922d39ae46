"""Evaluation: the referee for autoencoders, and alarm counts for detectors."""

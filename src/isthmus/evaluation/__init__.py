"""Evaluation: the referee for autoencoders, and the alarms of detectors against labels."""

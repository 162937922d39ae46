"""Anomaly detection: scores, p-values, explanations and alarms at a chosen false-alarm rate."""

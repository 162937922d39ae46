"""Anomalies: alarms at a promised rate, their reasons, and what they would miss."""

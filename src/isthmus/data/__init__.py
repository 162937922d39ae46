"""Reads files, and converts tables and arrays to float32 matrices and back.

``reading`` and ``writing`` handle files, in the formats of ``formats``; ``schema`` maps the user's
data to what a network sees and back; ``reconstruction_error`` compares rows.
"""

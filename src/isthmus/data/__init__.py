"""Data in and out: files, tables and arrays become float32 matrices, and come back as they were.

``reading`` and ``writing`` handle files, in the formats of ``formats``; ``schema`` maps the user's
data to what a network sees and back; ``reconstruction_error`` compares rows.
"""

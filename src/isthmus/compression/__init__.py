"""Compression: `Codec`, its file format, and the coders that it selects from.

``codec`` is the public class; ``container*`` reads and writes files; ``*_rows`` split arrays and
tables into blocks of columns. ``coders`` turn blocks into bytes, two of them with a fitted model:
``pixels`` (lossless images) and ``lossy``. ``entropy`` holds the entropy coder that they share, and
integer arithmetic that is exact on every machine.
"""

"""Compression: `Codec`, its file format, and the coders that it selects from.

``codec`` contains the public class, ``container*`` reads and writes files, and ``*_rows`` split
arrays and tables into blocks of columns. ``coders`` encode the blocks. Two coders need a fitted
model: ``pixels`` (lossless images) and ``lossy``. ``entropy`` contains the entropy coder that they
share, and integer arithmetic with the same results on every machine.
"""

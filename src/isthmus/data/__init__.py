"""Data in and out: files, tables and arrays become float32 matrices, and come back as they were.

``sources`` reads files, ``sinks`` writes them; ``schema`` maps the user's data to what a
network sees and back, reversibly; ``cells`` says how far apart two rows are.
"""

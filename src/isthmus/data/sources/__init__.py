"""Data that may be larger than memory: where they come from, and how they are read in batches."""

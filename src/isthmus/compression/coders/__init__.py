"""The coders of numeric blocks. A new one is one file here and one line in ``catalogue``."""

"""The coders of column blocks. To add one, write a file here and add a line to ``catalogue``."""

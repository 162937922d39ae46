"""The file formats: one file each, listed in ``catalogue``."""

"""Figures for notebooks, drawn with matplotlib; each function returns its axes."""

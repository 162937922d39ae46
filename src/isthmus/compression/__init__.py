"""Compression: `Codec`, the container format, and the coders that it chooses from.

Everything below ``codec`` works with arrays alone and knows neither tables nor estimators.
"""

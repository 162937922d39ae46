"""Numbers as few bytes, and back: integers from values, coders of integers, and the container.

Everything in this room works with arrays alone and knows neither tables nor estimators.
"""

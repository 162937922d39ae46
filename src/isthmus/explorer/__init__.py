"""Pages on which codes are explored: a map, what its points are decoded to, and statistics."""

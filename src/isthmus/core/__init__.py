"""What every room stands on: types, errors, randomness, catalogues and the archive."""

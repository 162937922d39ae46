"""What every room uses: types, errors, randomness and catalogues."""

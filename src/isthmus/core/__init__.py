"""Types, errors, randomness and catalogues that all other packages use."""

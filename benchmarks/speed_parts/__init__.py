"""The parts of `scripts/bench speed`: each returns a section of the page and its goals."""

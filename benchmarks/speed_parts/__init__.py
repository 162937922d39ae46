"""The parts of `scripts/bench speed`. Each returns a section of the page and its goals."""

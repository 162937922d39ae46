"""What is known of a model, as one self-contained page."""

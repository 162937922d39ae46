"""What a model is, and how good it is: figures, and findings in plain sentences."""

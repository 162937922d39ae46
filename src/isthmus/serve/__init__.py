"""An HTTP service of saved models: endpoints, limits, figures, and replacing its models."""

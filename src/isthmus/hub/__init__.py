"""Saved models in repositories of the Hugging Face Hub, with a model card."""

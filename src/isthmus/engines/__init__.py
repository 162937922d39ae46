"""Saved models in data engines: a function of Arrow batches, and folders of files in parts."""

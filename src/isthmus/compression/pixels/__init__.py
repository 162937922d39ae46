"""Lossless coding of images by a small network that predicts each pixel."""

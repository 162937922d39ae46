"""Lossy coding of samples at a chosen quality or size, by learned transforms."""

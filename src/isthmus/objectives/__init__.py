"""The objectives that training minimises: terms per sample, which training averages."""

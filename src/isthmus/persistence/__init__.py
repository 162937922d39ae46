"""Archives: reading, writing, and checking what a file brings before it is used."""

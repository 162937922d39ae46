"""Well-known autoencoders by name, as tutorials describe them, with measured figures."""

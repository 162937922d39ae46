"""The titles of the tutorials that describe the recipes' autoencoders."""

OUTPUTS = "“Does Keras autoencoders encode output variables?”"
NOTES = "the study notes “Autoencoder”"
ENCODERS = "“What is the difference between encoders and auto-encoders?”"
INTUITIVE = "“An Intuitive Explanation to AutoEncoders”"
ARCHITECTURE = "“Is this architecture a type of autoencoder?”"

"""What somebody else's model is: an autoencoder or not, and of which kind."""

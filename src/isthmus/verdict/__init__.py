"""Whether a Keras model is an autoencoder, and of which kind."""

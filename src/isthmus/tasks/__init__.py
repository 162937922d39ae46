"""Tasks on the codes of an autoencoder. Each task is an estimator that contains another."""

"""What a fitted autoencoder is put to: each task has an estimator and is one itself."""

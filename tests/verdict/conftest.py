import numpy as np
import pytest

import isthmus as ist


@pytest.fixture(scope="session")
def small_model():
    """A linear autoencoder trained until it finds the plane that its data lie near."""
    random = np.random.default_rng(0)
    X = random.normal(size=(600, 2)) @ random.normal(size=(2, 6)) + random.normal(size=(600, 6)) / 4
    model = ist.Autoencoder(
        2,
        architecture="linear",
        scale="none",
        epochs=200,
        learning_rate=0.02,
        validation_fraction=0,  # as many rows as PCA has
        random_state=0,
        verbose=0,
    )
    return model.fit(X[:400]), X

"""The convolutional architecture for volumes: any size, the start as PCA, and its fast layer."""

import jax
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from isthmus.core.errors import InvalidArchive, InvalidParameter
from isthmus.networks import volume_layers
from isthmus.networks.architecture_settings import ArchitectureSettings
from isthmus.networks.bottlenecks import DeterministicBottleneck
from isthmus.networks.catalogue import (
    ARCHITECTURES,
    architecture_from_config,
    architecture_to_config,
)
from isthmus.networks.initializers import without_values
from isthmus.networks.network import join


def volumetric(shape, values="unit", linear_path=True):
    return ARCHITECTURES["convolutional-3d"].from_settings(
        ArchitectureSettings(shape, values, None, "gelu", "auto", linear_path, "float32")
    )


@settings(max_examples=4, deadline=None)
@given(st.tuples(*[st.integers(1, 40)] * 3), st.integers(1, 3), st.booleans())
def test_any_size_comes_back(sides, channels, linear_path):
    shape = (*sides, channels)
    architecture = volumetric(shape, linear_path=linear_path)
    halves = without_values(lambda: (architecture.encoder(shape), architecture.decoder(shape, 2)))
    assert len(halves[0].output_shape) == 2
    assert halves[1].output_shape == (None, *shape)


@pytest.mark.parametrize("values", ["unit", "real"])
def test_it_starts_as_principal_components(values):
    shape = (4, 5, 6, 2)
    rng = np.random.default_rng(0)
    causes = rng.normal(size=(60, 4)) * [3, 2, 1, 0.5]
    rows = 0.5 + 0.02 * causes @ rng.normal(size=(4, 240))
    rows = np.clip(rows, 0.1, 0.9).astype(np.float32)
    architecture = volumetric(shape, values)
    network = join(architecture, shape, DeterministicBottleneck(3), values=values, seed=0)
    volumes = rows.reshape(-1, *shape)
    assert architecture.start(network, volumes, volumes, seed=0) == ()
    found = np.asarray(network.full(volumes)["reconstruction"]).reshape(rows.shape)
    pca = PCA(3, random_state=0).fit(rows)
    expected = pca.inverse_transform(pca.transform(rows))
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_its_description_is_restored_and_another_refused():
    architecture = volumetric((8, 8, 8, 1))
    config = architecture_to_config(architecture)
    assert architecture_from_config(config) == architecture
    for change in ({"patch": 0}, {"patch": True}, {"filters": []}, {"more": 1}):
        with pytest.raises(InvalidArchive):
            architecture_from_config({**config, **change})


def test_other_samples_are_refused():
    with pytest.raises(InvalidParameter, match=r"X\[\.\.\., None\]"):
        volumetric((8, 8, 8))


@pytest.mark.parametrize(
    ("sides", "window", "strides"),
    [((4, 3, 5), 3, 1), ((5, 4, 3), 2, 2), ((3, 2, 2), 2, 1), ((5, 2, 6), 4, 4), ((4, 3, 3), 3, 2)],
)
def test_the_fast_convolution_is_that_of_keras(sides, window, strides):
    rng = np.random.default_rng(0)
    volumes = rng.normal(size=(2, *sides, 2)).astype(np.float32)
    kernel = rng.normal(size=(window,) * 3 + (2, 3)).astype(np.float32)
    plain, fast = (
        kind(3, window, strides, padding="same", data_format="channels_last")
        for kind in (keras.layers.Conv3D, volume_layers.Conv3D)
    )

    def gradients(layer):
        layer.build(volumes.shape)

        def total(volumes, kernel):
            made = layer.convolution_op(volumes, kernel)
            return (made * np.arange(made.size).reshape(made.shape)).sum() / made.size

        return jax.value_and_grad(total, (0, 1))(volumes, kernel)

    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4),
        gradients(fast),
        gradients(plain),
    )

from functools import partial

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from isthmus.networks import fast_layers


def pictures(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def assert_same(name, settings, shape=(2, 7, 6, 4), *, before=None):
    """A layer computes the values, shapes and gradients of Keras's layer with its settings."""
    theirs = getattr(keras.layers, name)(**settings)
    theirs.build(shape if before is None else before.compute_output_shape(shape))
    for variable in theirs.weights:  # biases are zero at first
        variable.assign(pictures(*variable.shape))
    factors = {} if before is None else {"factors": before.size}
    ours = getattr(fast_layers, name).from_config({**theirs.get_config(), **factors})
    ours.build(shape)

    def plain(weights, images):
        return theirs.stateless_call(weights, [], images if before is None else before(images))[0]

    def fast(weights, images):
        return ours.stateless_call(weights, [], images)[0]

    @partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
    def all_of(weights, images):
        made, backward = zip(
            *(jax.vjp(function, weights, images) for function in (fast, plain)), strict=True
        )
        slopes = jnp.cos(jnp.arange(made[1].size, dtype=jnp.float32)).reshape(made[1].shape)
        return [(value, back(slopes)) for value, back in zip(made, backward, strict=True)]

    images = pictures(*shape)
    got, expected = all_of([v.value for v in theirs.weights], images)
    for one, other in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * float(abs(other).max()))
    assert tuple(ours.compute_output_shape(shape)) == got[0].shape


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(
    ("size", "strides"), [(3, 1), ((2, 5), (3, 2)), (1, 2)], ids=["one", "mixed", "few"]
)
@pytest.mark.parametrize("name", ["Conv2D", "Conv2DTranspose"])
def test_convolutions(name, size, strides, padding):
    settings = {"strides": strides, "padding": padding, "activation": "tanh"}
    assert_same(name, {"filters": 3, "kernel_size": size, **settings})


@pytest.mark.parametrize(
    "settings",
    [{"strides": 1}, {"strides": 2}, {"padding": "valid"}, {"use_bias": False, "kernel_size": 4}],
    ids=["same", "strided", "valid", "even"],
)
@pytest.mark.parametrize("name", ["Conv2D", "Conv2DTranspose"])
def test_convolutions_of_an_upsampled_image(name, settings):
    settings = {"filters": 3, "kernel_size": 3, "padding": "same", **settings}
    assert_same(name, settings, (2, 3, 4, 4), before=keras.layers.UpSampling2D((2, 3)))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("Conv2D", {"dilation_rate": 2}),
        ("Conv2D", {"groups": 2}),
        ("Conv2DTranspose", {"dilation_rate": 2}),
        ("Conv2DTranspose", {"strides": 2, "output_padding": 1}),
    ],
    ids=["dilated", "grouped", "dilated_transpose", "output_padding"],
)
@pytest.mark.parametrize("before", [None, keras.layers.UpSampling2D(2)], ids=["plain", "fused"])
def test_settings_without_a_fast_form_run_as_keras_has_them(name, settings, before):
    assert_same(
        name, {"filters": 4, "kernel_size": 3, "padding": "same", **settings}, before=before
    )


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("size", "strides"), [(2, None), ((2, 3), None), (3, 2), (1, 1)])
@pytest.mark.parametrize("name", ["MaxPooling2D", "AveragePooling2D"])
def test_poolings(name, size, strides, padding):
    assert_same(name, {"pool_size": size, "strides": strides, "padding": padding}, (2, 7, 6, 3))


@pytest.mark.parametrize("activation", ["gelu", "tanh"])
def test_activations(activation):
    assert_same("Activation", {"activation": activation})


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_upsamplings(interpolation):
    assert_same("UpSampling2D", {"size": (2, 3), "interpolation": interpolation}, (2, 3, 4, 2))


@pytest.mark.parametrize(
    ("name", "setting"),
    [("MaxPooling2D", "pool_size"), ("AveragePooling2D", "pool_size"), ("UpSampling2D", "size")],
)
def test_channels_first(name, setting):
    assert_same(name, {setting: 2, "data_format": "channels_first"}, (2, 3, 6, 4))


@pytest.mark.parametrize("name", ["Conv2D", "Conv2DTranspose"])
def test_its_configuration_makes_it_again(name):
    kind = getattr(fast_layers, name)
    layer = kind(3, (2, 3), padding="same", factors=(2, 3), activation="relu", name="it")
    again = kind.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert tuple(again.compute_output_shape((None, None, 4, 5))) == (None, None, 12, 3)


@pytest.mark.parametrize("name", ["Conv2D", "Conv2DTranspose"])
def test_computes_in_bfloat16(name):
    kind = getattr(fast_layers, name)
    layer = kind(3, 3, padding="same", factors=(2, 2), dtype="mixed_bfloat16")
    assert keras.backend.standardize_dtype(layer(pictures(2, 4, 4, 2)).dtype) == "bfloat16"

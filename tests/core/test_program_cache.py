import jax
import jax.numpy as jnp
import numpy as np
import pytest

from isthmus.core.program_cache import Program


def scaled_by(factor):
    return Program(lambda tree, x: {"sum": tree["a"] * factor + x})


def compilations(action):
    """Count the programs that XLA compiles within the context."""
    events = []

    def listen(name, _seconds, **_):
        events.append(name == "/jax/core/compile/backend_compile_duration")

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        action()
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    return sum(events)


@pytest.fixture
def arguments():
    return {"a": jnp.arange(37.0)}, np.float32(2)


def test_the_same_function_made_anew_is_compiled_once(arguments):
    first = scaled_by(1.25)
    assert compilations(lambda: first(*arguments)) == 1
    again = scaled_by(1.25)
    assert compilations(lambda: again(*arguments)) == 0
    np.testing.assert_array_equal(again(*arguments)["sum"], np.arange(37) * 1.25 + 2)


def test_another_constant_shape_or_packing_is_another_program(arguments):
    scaled_by(1.5)(*arguments)
    assert scaled_by(1.75)(*arguments)["sum"][1] == 3.75
    assert scaled_by(1.5)({"a": jnp.ones(5)}, np.float32(0))["sum"].shape == (5,)
    listed = Program(lambda tree, x: [tree["a"] * 1.5 + x])
    assert isinstance(listed(*arguments), list)


def test_large_constants_tell_programs_apart(arguments):
    tables = [np.random.default_rng(seed).normal(size=5000).astype("f") for seed in (0, 1)]
    made = [
        Program(lambda tree, x, t=table: tree["a"].sum() + x + jnp.asarray(t))(*arguments)
        for table in tables
    ]
    assert (np.asarray(made[0]) != np.asarray(made[1])).all()


def test_a_brief_program_is_compiled_by_itself_and_agrees(arguments):
    def function(tree, x):
        return jnp.tanh(tree["a"] / 7) * x

    usual, brief = Program(function), Program(function, brief=True)
    expected = usual(*arguments)
    assert compilations(lambda: brief(*arguments)) == (jax.default_backend() == "cpu")
    np.testing.assert_allclose(brief(*arguments), expected, rtol=1e-6)

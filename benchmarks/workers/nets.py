"""The textbook networks, as Keras encoder and decoder; shared by every worker."""

import keras

HIDDEN = {"784-32-784": (), "784-500-300-100-2": (500, 300, 100)}
CODE = {"784-32-784": (32, "relu"), "784-500-300-100-2": (2, "tanh")}


def pair(name: str) -> tuple[keras.Model, keras.Model]:
    units, activation = CODE[name]
    encoder = keras.Sequential(
        [keras.Input((784,))]
        + [keras.layers.Dense(h, activation="tanh") for h in HIDDEN[name]]
        + [keras.layers.Dense(units, activation=activation)]
    )
    decoder = keras.Sequential(
        [keras.Input((units,))]
        + [keras.layers.Dense(h, activation="tanh") for h in reversed(HIDDEN[name])]
        + [keras.layers.Dense(784, activation="sigmoid")]
    )
    return encoder, decoder

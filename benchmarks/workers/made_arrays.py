"""Arrays made with a seed, for kinds of which few files are at hand."""

import numpy as np


def autoregression(seed: int, rows: int, places: int) -> np.ndarray:
    """Return a daily season with autoregressive noise, rounded as a sensor rounds."""
    rng = np.random.default_rng(seed)
    noise = np.zeros(rows)
    for i in range(2, rows):
        noise[i] = 1.6 * noise[i - 1] - 0.64 * noise[i - 2] + rng.normal(scale=0.05)
    return np.round(20 + 5 * np.sin(np.arange(rows) * 2 * np.pi / 288) + noise, places)


def sums_modulo(seed: int, rows: int, modulus: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(40, 80, rows).cumsum() % modulus


def slow_walk(seed: int, rows: int) -> np.ndarray:
    steps = np.random.default_rng(seed).integers(-2, 3, rows)
    return 50 + (steps.cumsum() // 4).astype(np.int16)


def occupancy(seed: int, rows: int, capacity: int) -> np.ndarray:
    """Return how many places are taken, with arrivals and departures that follow the hour."""
    rng = np.random.default_rng(seed)
    hour = np.sin(np.arange(rows) * 2 * np.pi / 144)
    steps = rng.poisson(3 + 2 * hour) - rng.poisson(3 - 2 * hour)
    level, found = capacity // 2, np.empty(rows, np.int32)
    for i, step in enumerate(steps):
        level = min(max(level + step, 0), capacity)
        found[i] = level
    return found


def independent_flags(seed: int, rows: int, many: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.random((rows, many)) < rng.beta(0.5, 2, size=many)


def machine_states(seed: int, rows: int, many: int) -> np.ndarray:
    """Return which machines run: each is switched seldom, and some follow another."""
    rng = np.random.default_rng(seed)
    switched = rng.random((rows, many)) < rng.uniform(0.002, 0.05, size=many)
    on = np.cumsum(switched, axis=0) % 2 == 1
    for j in range(0, many, 3):
        on[1:, j] = on[:-1, (j + 1) % many]
    return on


def smooth_noise(seed: int, shape: tuple[int, ...], slope: float) -> np.ndarray:
    """Return a Gaussian random field whose power falls with frequency, as float32."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfftn(rng.normal(size=shape))
    axes = [np.fft.fftfreq(size) for size in shape[:-1]] + [np.fft.rfftfreq(shape[-1])]
    squared = sum(each**2 for each in np.meshgrid(*axes, indexing="ij"))
    spectrum *= (squared + 1e-4) ** (-slope / 2)
    field = np.fft.irfftn(spectrum, shape, axes=range(len(shape)))
    return (field / field.std()).astype(np.float32)


def plucked(seed: int, samples: int) -> np.ndarray:
    """Return notes of a plucked string (Karplus and Strong 1983) as samples of 16 bits."""
    rng = np.random.default_rng(seed)
    sound = np.zeros(samples)
    for start in range(0, samples, 8000):
        buffer = rng.uniform(-1, 1, int(rng.integers(60, 300)))
        blocks = []
        while sum(map(len, blocks)) < 16000:
            blocks.append(buffer)
            buffer = 0.498 * (buffer + np.roll(buffer, 1))
        note = np.concatenate(blocks)[: samples - start]
        sound[start : start + len(note)] += note
    return np.round(8000 * sound / np.abs(sound).max()).astype(np.int16)

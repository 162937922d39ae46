"""Outputs for tables stay among the values that a column can have."""

import datetime as dt
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.frozen import FrozenEstimator

import isthmus as ist

N = 800
SETTINGS = {"verbose": 0, "random_state": 0}
CATEGORIES = {"A": 0.39, "B": 0.30, "C": 0.16, "D": 0.10, "E": 0.05}
quiet = pytest.mark.filterwarnings("ignore:.*latent dimensions collapsed")


def visits(n: int = N, seed: int = 0) -> pd.DataFrame:
    """Rows with a zero-inflated column, categories, a rare boolean and values on grids."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 2))
    buys = hidden[:, 0] + 0.5 * rng.normal(size=n) > 0.28
    return pd.DataFrame(
        {
            "spent": np.where(buys, np.exp(1 + hidden[:, 1] / 2), 0.0),
            "age": hidden[:, 0] * 9 + 40 + rng.normal(size=n),
            "town": rng.choice(list(CATEGORIES), n, p=list(CATEGORIES.values())),
            "returned": rng.random(n) < 0.1,
            "stars": np.clip(np.rint(hidden[:, 1] * 2 + 5) / 2, 0, 5),
            "price": np.round(np.exp(hidden[:, 0] / 3) * 9, 2),
            "children": rng.poisson(1 + (hidden[:, 1] > 0)),
            "loss": -np.exp(hidden[:, 1]) - 0.001,
        }
    )


@pytest.fixture(scope="module")
def frame():
    return visits()


@pytest.fixture(scope="module")
def plain(frame):
    return ist.Autoencoder(2, epochs=60, **SETTINGS).fit(frame)


@pytest.fixture(scope="module")
def generator(frame):
    return ist.VariationalAutoencoder(3, epochs=100, **SETTINGS).fit(frame)


def assert_in_domain(made: pd.DataFrame, seen: pd.DataFrame) -> None:
    for name in seen.select_dtypes("number"):
        assert made[name].min() >= seen[name].min(), name
        assert made[name].max() <= seen[name].max(), name
    np.testing.assert_array_equal(made["stars"] * 2, np.rint(made["stars"] * 2))
    np.testing.assert_array_equal(made["price"], np.round(made["price"], 2))
    assert made["children"].dtype == seen["children"].dtype


def test_reconstructions_keep_to_range_and_grid(plain, frame):
    far = plain.transform(frame) * 3
    for made in (plain.reconstruct(frame), plain.inverse_transform(far)):
        assert_in_domain(made, frame)
    assert_in_domain(plain.reconstruct(visits(200, seed=1)), frame)


def test_zeros_come_back_as_zeros(plain, frame):
    made, zero = plain.reconstruct(frame)["spent"], frame["spent"] == 0
    assert (made < 0).mean() == 0
    assert abs((made == 0).mean() - zero.mean()) < 0.01
    assert ((made == 0) == zero).mean() > 0.85
    new = visits(seed=1)
    found = plain.reconstruct(new)["spent"] == 0
    assert (found == (new["spent"] == 0)).mean() > 0.85


def test_the_outputs_of_the_network_are_there_for_those_who_ask(plain, frame):
    raw = plain.reconstruct(frame, bounded=False)
    assert (raw["spent"] < 0).any()
    assert not (raw["spent"] == 0).any()
    assert (raw["stars"] * 2 % 1 != 0).any()
    codes = plain.transform(frame)
    pd.testing.assert_frame_equal(
        plain.inverse_transform(codes, bounded=False), raw, rtol=1e-4, atol=1e-4
    )


def test_errors_are_those_of_the_outputs_of_the_network(plain, frame):
    far = frame.head(5).assign(age=frame["age"].max() * 3)
    assert plain.reconstruct(far)["age"].max() <= frame["age"].max()
    before = plain.reconstruction_error(frame.head(5))
    assert (plain.reconstruction_error(far) > 10 * before).all()
    numbers = [segment.start for segment in plain.schema_.segments if segment.name == "spent"]
    output = plain.reconstruct_matrix(plain.schema_.to_matrix(frame))[:, numbers]
    zero = plain.schema_.to_matrix(frame)[frame["spent"] == 0][0, numbers]
    assert not (output == zero).any()


@pytest.mark.parametrize("seed", range(3))
def test_samples_are_drawn_from_what_the_decoder_predicts(generator, frame, seed):
    made = generator.sample(4000, random_state=seed)
    assert_in_domain(made, frame)
    rates = made["town"].value_counts(normalize=True)
    for name, rate in frame["town"].value_counts(normalize=True).items():
        assert abs(rates[name] - rate) < 0.04, name
    assert abs(made["returned"].mean() - frame["returned"].mean()) < 0.03
    assert abs((made["spent"] == 0).mean() - (frame["spent"] == 0).mean()) < 0.03
    for name in ("age", "price", "children"):
        assert 0.75 < made[name].std() / frame[name].std() < 1.25, name
    bought, real = made["spent"][made["spent"] > 0], frame["spent"][frame["spent"] > 0]
    np.testing.assert_allclose(
        bought.quantile([0.25, 0.5, 0.75]), real.quantile([0.25, 0.5, 0.75]), rtol=0.35
    )
    assert np.corrcoef(made["age"], made["spent"] == 0)[0, 1] < -0.2


def test_samples_are_reproducible_and_the_means_remain(generator, frame):
    made = generator.sample(300, random_state=3)
    pd.testing.assert_frame_equal(made, generator.sample(300, random_state=3))
    assert not made.equals(generator.sample(300, random_state=4))
    means = generator.sample(300, draw=False, random_state=3)
    assert_in_domain(means, frame)
    assert not means["returned"].any()
    assert means["age"].std() < made["age"].std()


def test_archives_keep_domain_and_samples(plain, generator, frame, tmp_path):
    for model in (plain, generator):
        model.save(tmp_path / "model.isthmus")
        again = ist.load(tmp_path / "model.isthmus")
        pd.testing.assert_frame_equal(again.reconstruct(frame), model.reconstruct(frame))
    pd.testing.assert_frame_equal(
        again.sample(200, random_state=0), generator.sample(200, random_state=0)
    )


def test_samples_of_a_density_keep_to_the_domain(plain, frame):
    sampler = ist.LatentSampler(FrozenEstimator(plain), random_state=0).fit(frame)
    made = sampler.sample(2000, random_state=0)
    assert_in_domain(made, frame)
    assert abs((made["spent"] == 0).mean() - (frame["spent"] == 0).mean()) < 0.08


@quiet
def test_arrays_are_as_before_unless_draws_are_wanted(frame):
    X = frame[["spent", "age", "loss"]].to_numpy()
    model = ist.VariationalAutoencoder(2, epochs=60, **SETTINGS).fit(X)
    assert model.reconstruct(X)[:, 0].min() < 0
    means = model.sample(2000, random_state=0)
    np.testing.assert_array_equal(means, model.sample(2000, draw=False, random_state=0))
    drawn = model.sample(2000, draw=True, random_state=0)
    assert (drawn.std(axis=0) > means.std(axis=0)).all()
    noise = np.var(drawn[:, 1] - means[:, 1]) / model.schema_.scaling.scale[1] ** 2
    np.testing.assert_allclose(noise, model.noise_variance_, rtol=0.15)


@quiet
def test_pixels_are_drawn_as_black_or_white(digits):
    X = (digits.images[:200] / 16).astype(np.float32)
    model = ist.VariationalAutoencoder(2, epochs=5, **SETTINGS).fit(X)
    assert set(np.unique(model.sample(20, draw=True, random_state=0))) == {0, 1}
    assert len(np.unique(model.sample(20, random_state=0))) > 2


@quiet
@pytest.mark.parametrize("settings", [{"likelihood": "mse"}, {"scale": "range"}])
def test_without_a_learned_variance_numbers_are_means(settings):
    frame = visits()[["age", "price"]]
    model = ist.VariationalAutoencoder(2, epochs=5, **SETTINGS, **settings).fit(frame)
    pd.testing.assert_frame_equal(
        model.sample(50, random_state=0), model.sample(50, draw=False, random_state=0)
    )


def relatives() -> dict[str, pa.Array]:
    """Columns of other types, each with a range or a grid that is easily left."""
    rng = np.random.default_rng(1)
    cents = rng.integers(1, 90_000, N)
    days = rng.integers(0, 900, N)
    return {
        "day": pa.array([dt.date(2020, 1, 1) + dt.timedelta(int(k)) for k in days]),
        "moment": pa.array(np.datetime64("2024-03-01") + days * np.timedelta64(3600, "s")),
        "clock": pa.array([dt.time(int(k) % 24, 30) for k in days]),
        "decimal": pa.array([decimal.Decimal(int(k)) / 100 for k in cents]),
        "negative": pa.array(-np.exp(rng.normal(size=N))),
        "visits": pa.array(rng.geometric(0.1, N) - 1, pa.uint8()),
        "optional": pa.array(np.where(days % 5, rng.integers(0, 40, N) / 4, np.nan)),
        "nullable": pa.array([None if k % 7 == 0 else int(k) for k in rng.integers(0, 99, N)]),
        "half": pa.array(np.round(rng.normal(size=N), 1).astype(np.float32)),
        "constant": pa.array([7.5] * N),
        "debt": pa.array(np.where(rng.random(N) < 0.5, 0, rng.normal(size=N))),
    }


@quiet
@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow"])
def test_columns_of_other_types(kind):
    table = pa.table(relatives())
    X = {"pandas": table.to_pandas, "polars": lambda: pl.from_arrow(table)}.get(
        kind, lambda: table
    )()
    model = ist.VariationalAutoencoder(3, epochs=8, **SETTINGS).fit(X)
    far = model.inverse_transform(4 * model.transform(X))
    for made in (model.reconstruct(X), model.sample(N, random_state=0), far):
        assert type(made) is type(X)
        found = made if kind == "arrow" else made.to_arrow() if kind == "polars" else None
        found = pa.Table.from_pandas(made, preserve_index=False) if found is None else found
        for name in table.column_names:
            cells = [c for c in found[name].to_pylist() if c is not None]
            seen = [c for c in table[name].to_pylist() if c is not None and c == c]
            assert len(cells) == N, name
            assert min(seen) <= min(cells) <= max(cells) <= max(seen), name
            if name in ("optional", "constant"):
                assert set(cells) <= set(np.arange(0, 40) / 4), name
        halves = np.array(found["half"].to_pylist(), np.float32)
        np.testing.assert_array_equal(halves, np.round(halves, 1))
        zeros = np.mean([cell == 0 for cell in found["debt"].to_pylist()])
        assert made is far or 0.4 < zeros < 0.6


def test_values_on_no_grid_are_not_rounded(frame, plain):
    made = plain.reconstruct(frame)
    for name in ("age", "loss"):
        assert len(np.unique(made[name])) > 0.9 * N

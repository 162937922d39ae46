"""The referee tells good models from bad ones, and luck from merit."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_model import Known
from sklearn.decomposition import PCA

import isthmus as ist
from isthmus.core.errors import InvalidData, InvalidParameter, SchemaMismatch
from isthmus.core.number_format import number
from isthmus.data.schema import infer_schema
from isthmus.evaluation.referee import referee
from isthmus.objectives.structural_similarity import structural_similarity


def codes_of(judgement):
    return [finding.code for finding in judgement.findings]


@pytest.fixture(scope="module")
def halves():
    random = np.random.default_rng(1)
    X = random.normal(size=(800, 3)) @ random.normal(size=(3, 8)) + random.normal(size=(800, 8)) / 5
    return X[:400], X[400:]


def test_a_linear_autoencoder_ties_with_pca(small_model):
    model, X = small_model
    judgement = referee(model, X[400:], X_train=X[:400])
    own, pca, mean = judgement.contestants
    assert judgement.verdict.code == "no_better_than_pca"
    assert own.error == pytest.approx(pca.error, rel=0.05)
    assert mean.explained_variance == 0
    assert own.cross_entropy is None
    assert own.error == pytest.approx(float(model.reconstruction_error(X[400:]).mean()))
    direct = PCA(2).fit(X[:400])
    rebuilt = direct.inverse_transform(direct.transform(X[400:]))
    assert pca.error == pytest.approx(float(np.square(X[400:] - rebuilt).mean()), rel=1e-4)


def test_a_constant_predictor_is_called_collapsed(halves):
    train, test = halves
    model = Known(train, lambda m: np.zeros_like(m), codes=lambda m: np.zeros((len(m), 2)))
    judgement = referee(model, test, X_train=train)
    assert judgement.verdict.code == "collapsed"
    assert "0.0 %" in judgement.verdict.text
    dead = next(f for f in judgement.findings if f.code == "dead_codes")
    assert dead.text.startswith("2 of 2 code dimensions carry no information")


def test_an_identity_is_told_that_its_code_is_not_smaller(halves):
    train, test = halves
    judgement = referee(Known(train, lambda m: m, size=8), test, X_train=train)
    finding = next(f for f in judgement.findings if f.code == "code_not_smaller")
    assert finding.level == "warning"
    assert "8 numbers for 8 input cells" in finding.text
    assert judgement.verdict.code == "no_better_than_pca"


def test_a_better_model_is_called_better_only_beyond_chance(halves):
    train, test = halves
    model = Known(train, lambda m: m * 0.95)
    judgement = referee(model, test, X_train=train)
    own, pca, _ = judgement.contestants
    assert judgement.verdict.level == "good"
    assert own.error < pca.error
    assert own.rows_won > 0.5


def test_a_lead_that_may_be_luck_is_no_lead(halves):
    train, test = halves
    pca = referee(Known(train, lambda m: m), test[:8], X_train=train).contestants[1]
    # Perfect on half of the rows and bad on the others: ahead on average, by luck of the draw.
    miss = np.where(np.arange(400) % 2, 0.0, np.sqrt(1.6 * pca.error))[:, None]
    model = Known(train, lambda m: (m + miss[: len(m)]).astype(np.float32))
    judgement = referee(model, test[:8], X_train=train)
    assert judgement.contestants[0].error < 0.9 * pca.error
    assert judgement.verdict.code == "no_better_than_pca"
    assert "may be chance" in judgement.verdict.text
    assert "few_rows" in codes_of(judgement)


def test_a_model_worse_than_the_mean_is_not_to_be_used(halves):
    train, test = halves
    judgement = referee(Known(train, lambda m: -m), test, X_train=train)
    assert judgement.verdict.code == "no_better_than_mean"


def test_overfitting_shows_in_the_training_rows(halves):
    train, test = halves
    known = {row.tobytes() for row in infer_schema(train).to_matrix(train)}

    def memory(matrix):
        return np.array([row * (0.99 if row.tobytes() in known else 0.8) for row in matrix])

    judgement = referee(Known(train, memory), test, X_train=train)
    assert "overfits" in codes_of(judgement)
    assert judgement.train_error < judgement.contestants[0].error


def test_held_out_rows_that_were_seen_are_noticed(halves):
    train, _ = halves
    judgement = referee(Known(train, lambda m: m * 0.9), train[:100], X_train=train)
    assert "rows_seen" in codes_of(judgement)
    assert "overfits" not in codes_of(judgement)


@pytest.mark.parametrize(
    ("history", "stop", "code"),
    [
        ({"loss": [4.0, 3.0, 1.0], "val_loss": [4.0, 3.0, 2.0]}, "finished", "still_improving"),
        ({"loss": [4.0, 1.0], "val_loss": [1.0, 2.0]}, "finished", "validation_loss_rose"),
        ({"loss": [4.0, 1.0]}, "early stopping", "stopped_early"),
        ({"loss": [4.0, 1.0]}, "interrupted", "interrupted"),
        ({"loss": [4.0, 1.0]}, "diverged", "diverged"),
        ({}, "interrupted", "interrupted"),
    ],
)
def test_how_training_ended_is_told(halves, history, stop, code):
    train, test = halves
    model = Known(train, lambda m: m * 0.9, history_=history, stop_reason_=stop)
    assert code in codes_of(referee(model, test, X_train=train))


def test_without_training_rows_a_half_judges_the_other(halves):
    train, test = halves
    model = Known(train, lambda m: m * 0.95)
    judgement = referee(model, test)
    assert (judgement.n_test, judgement.n_fit) == (200, 200)
    assert "fitted_on_half" in codes_of(judgement)
    assert "other held-out rows" in judgement.basis
    again = referee(model, test)
    assert again.contestants[1].error == judgement.contestants[1].error


def test_shares_of_a_range_are_judged_by_cross_entropy_too():
    X = np.random.default_rng(0).integers(0, 256, (60, 4, 4)).astype(np.uint8)
    judgement = referee(Known(X, lambda m: m), X[:30], X_train=X[30:])
    shares = X[:30].astype(np.float64) / 255
    clipped = np.clip(shares, 1e-7, 1 - 1e-7)
    entropy = -(shares * np.log(clipped) + (1 - shares) * np.log(1 - clipped)).mean()
    assert judgement.contestants[0].cross_entropy == pytest.approx(entropy, rel=1e-5)
    headers, rows = judgement.table()
    shown = float(rows[0][headers.index("BCE, nats per cell")])
    assert shown == pytest.approx(entropy, rel=1e-3)
    for cell in (headers[4], *(row[4] for row in rows)):
        assert cell in str(judgement)


def test_images_are_judged_by_psnr_and_ssim_too():
    X = np.random.default_rng(0).random((60, 12, 10))
    X[:, 3:5, 2:4] = np.nan
    X[7] = np.nan
    judgement = referee(Known(X, lambda m: m / 2), X[:30], X_train=X[30:])
    own, pca, _ = judgement.contestants
    assert own.psnr == pytest.approx(-10 * np.log10(own.error))
    some = np.delete(X[:30], 7, axis=0).astype(np.float32)
    observed = (~np.isnan(some)).astype(np.float32)
    images = np.nan_to_num(some)
    similarity = structural_similarity(images, images / 2, observed)
    assert own.ssim == pytest.approx(float(similarity.mean()), rel=1e-4)
    assert pca.ssim != own.ssim
    headers, rows = judgement.table()
    assert rows[0][headers.index("PSNR, dB")] == number(own.psnr)
    assert rows[1][headers.index("SSIM")] == number(pca.ssim)
    json.dumps(judgement.to_dict(), allow_nan=False)


def test_perfect_images_have_no_psnr():
    X = np.random.default_rng(0).random((20, 5, 4, 3))
    own = referee(Known(X, lambda m: m), X[:10], X_train=X[10:]).contestants[0]
    assert own.psnr is None
    assert own.ssim == pytest.approx(1)


def test_rows_that_are_no_images_have_neither_psnr_nor_ssim(halves):
    fractions = np.random.default_rng(0).random((40, 9))
    series = fractions.reshape(40, 3, 3)
    for X, architecture in ((halves[0], "dense"), (fractions, "dense"), (series, "gru")):
        model = Known(X, lambda m: m, architecture=architecture)
        judgement = referee(model, X[:20], X_train=X[20:])
        assert (judgement.contestants[0].psnr, judgement.contestants[0].ssim) == (None, None)
        assert "SSIM" not in str(judgement)


def test_tables_with_missing_cells_are_judged_on_what_is_there():
    random = np.random.default_rng(0)
    size = random.normal(size=200)
    frame = pd.DataFrame(
        {
            "size": size,
            "weight": size * 2 + random.normal(size=200) / 9,
            "kind": np.where(size > 0, "big", np.where(size < -1, "tiny", "small")),
        }
    )
    frame.loc[::7, "weight"] = np.nan
    frame.loc[::9, "kind"] = None
    model = Known(frame, lambda m: np.nan_to_num(m) * 0.98, size=1)
    judgement = referee(model, frame[100:], X_train=frame[:100])
    assert all(np.isfinite(one.error) for one in judgement.contestants)
    assert judgement.contestants[0].explained_variance > 0.9


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(2, 12), d=st.integers(1, 6), size=st.integers(1, 9), seed=st.integers(0, 99),
    missing=st.floats(0, 0.6), constant=st.booleans(),
)  # fmt: skip
def test_any_small_data_get_finite_figures(n, d, size, seed, missing, constant):
    random = np.random.default_rng(seed)
    X = np.ones((n, d)) if constant else random.normal(size=(n, d))
    holes = X.copy()
    holes[random.random((n, d)) < missing] = np.nan
    holes[:, 0] = X[:, 0]  # a row or column of holes alone is refused elsewhere
    model = Known(
        X, lambda m: np.nan_to_num(m) / 2, size=size, codes=lambda m: np.ones((len(m), size))
    )
    judgement = referee(model, holes, X_train=X)
    assert all(np.isfinite(one.error) for one in judgement.contestants)
    assert judgement.contestants[1].code_size <= min(n - 1, d, size)
    json.dumps(judgement.to_dict())
    assert judgement.verdict.text in str(judgement)


def test_bad_calls_say_what_to_do(small_model, halves):
    model, X = small_model
    with pytest.raises(InvalidParameter, match="call fit first"):
        referee(ist.Autoencoder(), X)
    with pytest.raises(InvalidParameter, match="pass the model itself"):
        referee("model.isthmus", X)
    with pytest.raises(InvalidData, match="at least 2 rows"):
        referee(model, X[:1])
    with pytest.raises(SchemaMismatch):
        referee(model, halves[0], X_train=X)
    with pytest.raises(InvalidData, match="missing cells"):
        referee(model, np.full((3, 6), np.nan), X_train=X)


def test_a_network_that_learned_too_little_is_to_train_longer():
    random = np.random.default_rng(0)
    angles = random.uniform(0, 2 * np.pi, (1500, 2))
    X = np.concatenate([np.cos(angles), np.sin(angles), np.cos(2 * angles)], axis=1)
    train, test = X[:1200], X[1200:]
    settings = {"latent_dim": 2, "random_state": 0, "verbose": 0}
    short = ist.Autoencoder(epochs=2, **settings).fit(train)
    text = referee(short, test, X_train=train).verdict.text
    assert "has not learned enough: try epochs=300" in text
    longer = ist.Autoencoder(epochs=300, **settings).fit(train)
    assert referee(longer, test, X_train=train).verdict.code == "better_than_pca"


def test_pca_is_the_answer_where_a_network_learns_noise():
    random = np.random.default_rng(0)
    X = random.normal(size=(150, 10)) @ random.normal(size=(10, 40))
    X += 0.3 * random.normal(size=X.shape)
    model = ist.Autoencoder(10, random_state=0, verbose=0).fit(X[:120])
    text = referee(model, X[120:], X_train=X[:120]).verdict.text
    assert "PCA is the better choice" in text


def test_images_have_errors_by_channel():
    random = np.random.default_rng(0)
    X = random.normal(size=(90, 4, 4, 3)) * [1, 20, 300]
    X[::2, :, :2, 0] = np.nan

    def half_wrong(matrix):
        return np.where(np.arange(3) == 2, 0.5, np.nan_to_num(matrix))

    model = Known(X[:60], half_wrong)
    judgement = referee(model, X[60:], X_train=X[:60])
    first, second, third = judgement.channels
    assert (first.name, first.error, second.error) == ("channel 0", 0, 0)
    target = model.schema_.to_matrix(X[60:])[..., 2]
    assert third.error == pytest.approx(np.square(target - 0.5).mean(), rel=1e-5)
    assert first.explained_variance == 1 > third.explained_variance
    assert "channel 2" in str(judgement)
    assert json.dumps(judgement.to_dict()["channels"][0])
    lost = [f for f in judgement.findings if f.code == "channels_lost"]
    assert len(lost) == (third.error > 1.01 * third.pca_error)
    grey = Known(X[:60, ..., 1], np.nan_to_num)
    assert referee(grey, X[60:, ..., 1], X_train=X[:60, ..., 1]).channels == ()


@pytest.mark.parametrize("factor", [1, 37, 370])
def test_a_band_in_another_unit_takes_nothing_from_the_others(factor):
    random = np.random.default_rng(0)
    maps = random.random((2, 3, 6, 6, 3))
    codes = random.random((2, 400, 3))
    X = np.einsum("nk,khwc->nhwc", codes[0], maps[0]) * [1, 1.5, factor]
    model = ist.Autoencoder(3, hidden=(32,), epochs=30, random_state=0, verbose=0).fit(X[:300])
    judgement = referee(model, X[300:], X_train=X[:300])
    assert min(c.explained_variance for c in judgement.channels) > 0.9


@pytest.mark.parametrize(
    ("mean", "deviation", "far"),
    [(0, 1, False), (0, 1.4, False), (0.5, 1, False), (0, 1.9, True), (0, 0.4, True), (1, 1, True)],
)
def test_codes_far_from_the_prior_are_reported(halves, mean, deviation, far):
    train, test = halves
    moments = {"code_mean_": np.array([0.0, mean]), "code_std_": np.array([1.0, deviation])}
    judgement = referee(Known(train, np.nan_to_num, **moments), test, X_train=train)
    texts = [f.text for f in judgement.findings if f.code == "far_from_prior"]
    assert len(texts) == far
    if far:
        assert "in 1 of 2 code dimensions" in texts[0]
        assert f"standard deviations of {number(deviation, 2)} and" in texts[0]
        assert "LatentSampler" in texts[0]

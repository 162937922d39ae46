"""The referee's figures, against loops over cells, NumPy's SVD and scikit-learn's PCA."""

import math

import numpy as np
import pandas as pd
import pytest
from known_model import Known
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.metrics import mean_squared_error

from isthmus.evaluation.referee import referee


def shrunk(matrix):
    return (np.nan_to_num(matrix) * 0.7 + 0.1).astype(np.float32)


def numbers(seed, *, missing):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(70, 3)) @ rng.normal(size=(3, 6)) + 0.3 * rng.normal(size=(70, 6))
    X = X * [1, 10, 0.1, 1, 5, 1] + [0, 3, -1, 0, 0, 100]
    if missing:
        X[rng.random(X.shape) < 0.15] = np.nan
        X[np.isnan(X).all(axis=1), 0] = 0
    return X


def pictures(seed, *, missing):
    rng = np.random.default_rng(seed)
    shade = rng.random((70, 1, 1)) * rng.random((1, 4, 3))
    return (255 * np.clip(shade + 0.1 * rng.random((70, 4, 3)), 0, 1)).astype(np.uint8)


# --- the figures, of one row after the other ---------------------------------------------------


def slow_errors(target, made):
    """The mean squared error of the cells of each row that are there."""
    errors = []
    for row, guess in zip(target, made, strict=True):
        squares = [(x - t) ** 2 for t, x in zip(row, guess, strict=True) if not math.isnan(t)]
        errors.append(sum(squares) / len(squares))
    return errors


def slow_means(fit):
    return [
        sum(there) / len(there)
        for there in ([x for x in column if not math.isnan(x)] for column in fit.T)
    ]


def slow_pca(fit, rows, size):
    """Project on the first singular vectors of the centred rows; gaps hold the column's mean."""
    means = np.array(slow_means(fit))
    axes = np.linalg.svd(np.where(np.isnan(fit), means, fit) - means)[2][:size]
    filled = np.where(np.isnan(rows), means, rows) - means
    return filled @ axes.T @ axes + means


def slow_entropy(target, made):
    terms = []
    for t, p in zip(target.ravel().tolist(), made.ravel().tolist(), strict=True):
        share = min(max(p, 1e-7), 1 - 1e-7)
        terms.append(-t * math.log(share) - (1 - t) * math.log(1 - share))
    return sum(terms) / len(terms)


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize(
    ("make", "missing"),
    [(numbers, False), (numbers, True), (pictures, False)],
    ids=["numbers", "missing cells", "pictures"],
)
def test_figures_are_those_of_plain_loops(make, missing, size):
    for seed in range(3):
        X = make(seed, missing=missing)
        model = Known(X[:40], shrunk, size=size)
        judgement = referee(model, X[40:], X_train=X[:40])
        fit, rows = (
            model.schema_.to_matrix(part).reshape(len(part), -1).astype(np.float64)
            for part in (X[:40], X[40:])
        )
        made = {
            "autoencoder": shrunk(rows),
            "pca": slow_pca(fit, rows, size),
            "mean": np.array([slow_means(fit)] * len(rows)),
        }
        errors = {name: slow_errors(rows, guess) for name, guess in made.items()}
        means = {name: sum(each) / len(each) for name, each in errors.items()}
        assert judgement.train_error == pytest.approx(
            np.mean(slow_errors(fit, shrunk(fit))), rel=1e-5
        )
        for one in judgement.contestants:
            own = errors[one.name]
            assert one.error == pytest.approx(means[one.name], rel=1e-4)
            assert one.explained_variance == pytest.approx(
                1 - means[one.name] / means["mean"], abs=1e-4
            )
            spread = sum((e - means[one.name]) ** 2 for e in own) / (len(own) - 1)
            assert one.standard_error == pytest.approx(math.sqrt(spread / len(own)), rel=1e-3)
            others = [each for name, each in errors.items() if name != one.name]
            won = [e < min(rest) for e, *rest in zip(own, *others, strict=True)]
            assert one.rows_won == pytest.approx(sum(won) / len(won))
            if make is pictures:
                entropy = slow_entropy(rows, made[one.name])
                assert one.cross_entropy == pytest.approx(entropy, rel=1e-4)
            else:
                assert one.cross_entropy is None


@pytest.mark.parametrize("missing", [False, True], ids=["whole", "missing"])
@pytest.mark.parametrize("size", [1, 3])
def test_the_baseline_is_the_pca_of_scikit_learn(size, missing):
    X = numbers(5, missing=missing)
    model = Known(X[:40], shrunk, size=size)
    fit, rows = (model.schema_.to_matrix(part) for part in (X[:40], X[40:]))
    imputer = SimpleImputer().fit(fit)
    pca = PCA(size, svd_solver="full").fit(imputer.transform(fit))
    rebuilt = pca.inverse_transform(pca.transform(imputer.transform(rows)))
    own = referee(model, X[40:], X_train=X[:40]).contestants[1]
    there = ~np.isnan(rows)
    expected = [
        mean_squared_error(t[seen], x[seen])
        for t, x, seen in zip(rows, rebuilt, there, strict=True)
    ]
    assert own.code_size == size
    assert own.error == pytest.approx(np.mean(expected), rel=1e-4)


def test_a_category_counts_as_one_column():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(size=60), "kind": rng.choice(["a", "b", "c"], 60)})
    model = Known(frame[:30], shrunk, size=1)
    rows = model.schema_.to_matrix(frame[30:]).astype(np.float64)
    guess = shrunk(rows).astype(np.float64)
    errors = []
    for row, made in zip(rows, guess, strict=True):
        columns = []
        for segment in model.schema_.segments:
            cells = range(segment.start, segment.stop)
            square = sum((made[c] - row[c]) ** 2 for c in cells)
            columns.append(square / 2 if segment.kind == "categorical" else square)
        errors.append(sum(columns) / len(columns))
    own = referee(model, frame[30:], X_train=frame[:30]).contestants[0]
    assert own.error == pytest.approx(np.mean(errors), rel=1e-5)

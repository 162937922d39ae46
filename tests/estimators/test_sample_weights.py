"""`sample_weight` is refused with the reason, and is no parameter of `fit`."""

import inspect

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import has_fit_parameter

import isthmus as ist
from isthmus.core.errors import InvalidParameter

X = np.random.default_rng(0).normal(size=(60, 4))
Y = (X[:, 0] > 0).astype(int)
WEIGHTS = np.ones(60)
QUICK = {"hidden": (8,), "epochs": 1, "random_state": 0, "verbose": 0}
MODELS = [
    ist.Autoencoder(2, **QUICK),
    ist.DenoisingAutoencoder(2, **QUICK),
    ist.VariationalAutoencoder(2, **QUICK),
    ist.SupervisedAutoencoder(2, **QUICK),
    ist.AnomalyDetector(random_state=0),
    ist.PyODAdapter(random_state=0),
    ist.SimilarityIndex(),
    ist.LatentMap(),
    ist.LatentSampler(),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_the_error_gives_the_reason(model):
    for given in ({"y": Y}, {}):
        with pytest.raises(InvalidParameter, match=r"sample_weight: .*mini-batches.*Try: repeat"):
            model.fit(X, **given, sample_weight=WEIGHTS)
    assert not has_fit_parameter(model, "sample_weight")
    others = {"ids", "callbacks"}
    assert [n for n in inspect.signature(model.fit).parameters if n not in others] == ["X", "y"]


def test_other_ways_to_fit():
    with pytest.raises(InvalidParameter, match="mini-batches"):
        MODELS[0].fit_transform(X, sample_weight=WEIGHTS)
    with pytest.raises(InvalidParameter, match="mini-batches"):
        ist.LatentMap().fit_transform(X, sample_weight=WEIGHTS)
    pipeline = make_pipeline(StandardScaler(), ist.Autoencoder(2, **QUICK))
    with pytest.raises(InvalidParameter, match="mini-batches"):
        pipeline.fit(X, autoencoder__sample_weight=WEIGHTS)


def test_a_warning_of_fit_points_to_the_call():
    with pytest.warns(ist.DataWarning, match="latent_dim=9") as caught:
        ist.Autoencoder(9, **QUICK).fit(X)
    assert caught[0].filename == __file__


def test_none_is_no_weight():
    model = ist.Autoencoder(2, **QUICK).fit(X, sample_weight=None)
    assert model.n_samples_ == 60


def test_other_unknown_arguments_are_pythons_error():
    with pytest.raises(TypeError, match="unexpected keyword argument 'weights'"):
        ist.Autoencoder(2, **QUICK).fit(X, weights=WEIGHTS)

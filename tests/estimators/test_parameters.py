"""Parameters are declared once: signatures, docstrings, checks and archives agree."""

import inspect

import numpy as np
import pytest

import isthmus as ist
from isthmus.anomaly.detector import AnomalyDetector
from isthmus.core.errors import InvalidArchive, InvalidParameter
from isthmus.data.corruption import NOISES
from isthmus.estimators.parameters import PARAMETERS, parameters_of
from isthmus.networks.architecture_settings import ACTIVATIONS, NORMALIZATIONS, POLICIES
from isthmus.networks.catalogue import ARCHITECTURES
from isthmus.objectives.catalogue import LOSSES, PENALTIES
from isthmus.objectives.likelihood import LIKELIHOODS
from isthmus.persistence import artifact
from isthmus.training.config import OPTIMIZERS, SCHEDULES

ESTIMATORS = {
    "autoencoder": ist.Autoencoder,
    "denoising": ist.DenoisingAutoencoder,
    "supervised": ist.SupervisedAutoencoder,
    "variational": ist.VariationalAutoencoder,
}
RECORDS = {each.name: each for each in PARAMETERS}
CATALOGUES = {
    "activation": ACTIVATIONS,
    "architecture": ARCHITECTURES,
    "head_activation": ACTIVATIONS,
    "likelihood": LIKELIHOODS,
    "loss": LOSSES,
    "noise": NOISES,
    "normalization": NORMALIZATIONS,
    "optimizer": OPTIMIZERS,
    "precision": POLICIES,
    "schedule": SCHEDULES,
}
X = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)


@pytest.mark.parametrize(("kind", "estimator"), ESTIMATORS.items())
def test_signatures_are_those_of_the_records(kind, estimator):
    signature = inspect.signature(estimator).parameters
    assert {name: p.default for name, p in signature.items()} == {
        each.name: each.default for each in parameters_of(kind)
    }
    assert list(signature) == [each.name for each in parameters_of(kind)]


@pytest.mark.parametrize(("kind", "estimator"), ESTIMATORS.items())
def test_docstrings_explain_every_parameter(kind, estimator):
    assert "{parameters}" not in estimator.__doc__
    for each in parameters_of(kind):
        assert f"    {each.name} : {each.type}, default=" in estimator.__doc__


@pytest.mark.parametrize(("name", "catalogue"), CATALOGUES.items())
def test_names_are_those_of_the_catalogues(name, catalogue):
    assert set(RECORDS[name].constraint.names) == set(catalogue)


@pytest.mark.parametrize("name", PENALTIES)
def test_every_penalty_has_a_record(name):
    assert RECORDS[name].default == 0


@pytest.mark.parametrize(("kind", "estimator"), ESTIMATORS.items())
def test_defaults_are_values(kind, estimator):
    for each in parameters_of(kind):
        each.constraint.check(each.name, each.default)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"learning_rate": 0}, "learning_rate: expected a finite number above 0, received 0"),
        ({"epochs": 2.5}, "epochs: expected an integer"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"linear_path": "yes"}, "linear_path: expected True or False"),
        ({"hidden": "512"}, "hidden: expected 'auto' or the units"),
        ({"l1": -1}, "l1: expected a finite number at least 0"),
        ({"validation_fraction": 1}, "validation_fraction"),
    ],
)
def test_fit_checks_every_setting_before_the_data(settings, said):
    with pytest.raises(InvalidParameter, match=said):
        ist.Autoencoder(**settings).fit("not data either")


@pytest.mark.parametrize(
    "setting", [{"epochs": -3}, {"loss": "nonsense"}, {"linear_path": 3}, {"l1": float("1e400")}]
)
def test_an_archive_with_settings_that_cannot_be_is_refused(setting, tmp_path):
    model = ist.Autoencoder(2, hidden=(4,), epochs=1, verbose=0).fit(X)
    stored = model._to_artifact()
    manifest = {**stored.manifest, "params": {**stored.manifest["params"], **setting}}
    path = tmp_path / "m"
    try:
        artifact.write(path, artifact.Artifact(stored.kind, manifest, stored.arrays))
    except ValueError:
        pytest.skip("JSON has no such number")
    with pytest.raises(InvalidArchive, match=next(iter(setting))):
        ist.load(path)


def test_a_detector_has_no_other_parameters_than_the_command_line_has():
    assert set(inspect.signature(AnomalyDetector).parameters) == {
        "autoencoder",
        "false_alarm_rate",
        "mode",
        "window",
        "random_state",
    }

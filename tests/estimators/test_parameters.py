"""Parameters are declared once: signatures, docstrings, checks and archives agree."""

import inspect
import pickle

import numpy as np
import pytest

import isthmus as ist
from isthmus.anomaly.detector import MODES
from isthmus.anomaly.parameters import DETECTOR_PARAMETERS
from isthmus.compression.parameters import CODEC_PARAMETERS
from isthmus.core.errors import InvalidArchive, InvalidParameter
from isthmus.data.corruption import NOISES
from isthmus.estimators import resolved_settings
from isthmus.estimators.parameters import PARAMETERS, parameters_of
from isthmus.estimators.supervised import TASKS
from isthmus.networks.architecture_settings import ACTIVATIONS, NORMALIZATIONS, POLICIES
from isthmus.networks.catalogue import ARCHITECTURES
from isthmus.objectives.catalogue import LOSSES, PENALTIES
from isthmus.objectives.likelihood import LIKELIHOODS
from isthmus.persistence import artifact
from isthmus.tasks.parameters import INDEX_PARAMETERS, MAP_PARAMETERS, SAMPLER_PARAMETERS
from isthmus.training.config import OPTIMIZERS, SCHEDULES

ESTIMATORS = {
    "autoencoder": ist.Autoencoder,
    "denoising": ist.DenoisingAutoencoder,
    "supervised": ist.SupervisedAutoencoder,
    "variational": ist.VariationalAutoencoder,
}
DECLARED = {estimator: parameters_of(kind) for kind, estimator in ESTIMATORS.items()} | {
    ist.AnomalyDetector: DETECTOR_PARAMETERS,
    ist.Codec: CODEC_PARAMETERS,
    ist.LatentMap: MAP_PARAMETERS,
    ist.LatentSampler: SAMPLER_PARAMETERS,
    ist.SimilarityIndex: INDEX_PARAMETERS,
}
RECORDS = {each.name: each for each in (*PARAMETERS, *DETECTOR_PARAMETERS)}
CATALOGUES = {
    "activation": ACTIVATIONS,
    "architecture": ARCHITECTURES,
    "head_activation": ACTIVATIONS,
    "likelihood": LIKELIHOODS,
    "loss": LOSSES,
    "mode": MODES,
    "noise": (*NOISES, "blind_spot"),  # which also restricts the loss
    "normalization": NORMALIZATIONS,
    "optimizer": OPTIMIZERS,
    "precision": POLICIES,
    "schedule": SCHEDULES,
    "task": TASKS,
}
X = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)


@pytest.mark.parametrize(("estimator", "records"), DECLARED.items())
def test_signatures_are_those_of_the_records(estimator, records):
    signature = inspect.signature(estimator).parameters
    assert [(name, each.default) for name, each in signature.items()] == [
        (each.name, each.default) for each in records
    ]


@pytest.mark.parametrize(("estimator", "records"), DECLARED.items())
def test_docstrings_explain_every_parameter(estimator, records):
    assert "{parameters}" not in estimator.__doc__
    for each in records:
        assert f"    {each.name} : {each.type}, default=" in estimator.__doc__


@pytest.mark.parametrize(("name", "catalogue"), CATALOGUES.items())
def test_names_are_those_of_the_catalogues(name, catalogue):
    assert set(RECORDS[name].constraint.names) == set(catalogue)


@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalty_is_a_weight_of_every_estimator_with_a_loss(name):
    assert RECORDS[name].default == 0
    assert RECORDS[name].kinds == RECORDS["loss"].kinds
    for kind in RECORDS[name].kinds:
        assert resolved_settings.penalties(ESTIMATORS[kind]()) == ()
        (term,) = resolved_settings.penalties(ESTIMATORS[kind](**{name: 0.5}))
        assert (term.name, term.weight(0.3)) == (name, 0.5)
        with pytest.raises(InvalidParameter, match=f"{name}: expected a finite number at least 0"):
            ESTIMATORS[kind](**{name: -1}).fit(X)


@pytest.mark.parametrize(("estimator", "records"), DECLARED.items())
def test_defaults_are_values(estimator, records):
    for each in records:
        each.constraint.check(each.name, each.default)
        assert each.constraint.from_archive(each.name, each.default) == each.default


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


@pytest.fixture(scope="module")
def fitted():
    """A saved model in which settings are replaced."""
    return ist.Autoencoder(2, hidden=(4,), epochs=1, verbose=0).fit(X)


def stored_with(model, path, setting):
    """Write an archive with some settings replaced."""
    stored = model._to_artifact()
    manifest = {**stored.manifest, "params": {**stored.manifest["params"], **setting}}
    artifact.write(path, artifact.Artifact(stored.kind, manifest, stored.arrays))
    return path


@pytest.mark.parametrize(
    "setting",
    [
        {"epochs": -3},
        {"loss": "nonsense"},
        {"loss": None},
        {"loss": "mse:0.5,nonsense:1"},
        {"loss": "mse:-1"},
        {"optimizer": 3},
        {"linear_path": 3},
        {"linear_path": "yes"},
        {"l1": -0.5},
        {"l1": True},
        {"hidden": [4, -1]},
        {"hidden": "4"},
        {"verbose": "loud"},
        {"random_state": "mt19937"},
        {"random_state": True},
        {"encoder": "custom:model"},
        {"schedule": [1, 2]},
        {"checkpoint": 7},
    ],
    ids=str,
)
def test_an_archive_with_settings_that_cannot_be_is_refused(setting, fitted, tmp_path):
    (name,) = setting
    with pytest.raises(InvalidArchive, match=f"the archive's settings: {name}: expected"):
        ist.load(stored_with(fitted, tmp_path / "m", setting))


def test_an_archive_with_an_unknown_setting_is_refused(fitted, tmp_path):
    with pytest.raises(InvalidArchive, match="expected settings of Autoencoder, received"):
        ist.load(stored_with(fitted, tmp_path / "m", {"evil": 1}))


@pytest.mark.parametrize(
    ("stored", "loaded"),
    [
        ({"optimizer": "custom:Adam"}, "custom:Adam"),
        ({"hidden": [4]}, (4,)),
        ({"hidden": 4}, 4),
        ({"hidden": "auto"}, "auto"),
        ({"loss": "mse"}, "mse"),
        ({"patience": None}, None),
        ({"clip_norm": None}, None),
        ({"learning_rate": 1}, 1),
        ({"linear_path": "True"}, True),  # a NumPy boolean, as earlier versions wrote it
        ({"verbose": True}, True),
        ({"random_state": 2**40}, 2**40),
        ({"checkpoint": "run.checkpoint"}, "run.checkpoint"),
    ],
    ids=str,
)
def test_an_archive_with_any_setting_that_was_ever_saved_loads(stored, loaded, fitted, tmp_path):
    model = ist.load(stored_with(fitted, tmp_path / "m", stored))
    assert getattr(model, next(iter(stored))) == loaded
    assert (model.transform(X) == fitted.transform(X)).all()


def mine(target, reconstruction):
    return (target - reconstruction) ** 2


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": mine},
        {"hidden": ()},
        {"hidden": (8, 4), "linear_path": False, "normalization": "layer", "activation": "relu"},
        {"architecture": "linear", "scale": "range", "precision": "bfloat16", "loss": "mae"},
    ],
    ids=",".join,
)
def test_every_setting_that_fit_takes_agrees_with_what_it_learned(settings, tmp_path):
    model = ist.Autoencoder(2, epochs=1, verbose=0, random_state=0, **settings).fit(X)
    model.save(tmp_path / "m")
    again = ist.load(tmp_path / "m")
    assert (again.transform(X) == model.transform(X)).all()
    again.save(tmp_path / "again")


@pytest.mark.parametrize(
    ("setting", "learned"),
    [
        ({"latent_dim": 3}, "2"),
        ({"architecture": "linear"}, "'dense'"),
        ({"hidden": (8, 4)}, r"\(4,\)"),
        ({"hidden": ()}, r"\(4,\)"),
        ({"activation": "relu"}, "'gelu'"),
        ({"normalization": "batch"}, "'none'"),
        ({"linear_path": False}, "True"),
        ({"precision": "bfloat16"}, "'float32'"),
        ({"scale": "range"}, "'robust'"),
        ({"loss": "mae"}, "'mse'"),
        ({"loss": "custom:mine"}, "'mse'"),
    ],
    ids=str,
)
def test_a_setting_that_contradicts_what_was_learned_is_refused(setting, learned, fitted, tmp_path):
    (name,) = setting
    said = f"{name}: expected {learned}, as the model was fitted"
    with pytest.raises(InvalidArchive, match=f"the archive's settings: {said}"):
        ist.load(stored_with(fitted, tmp_path / "m", setting))
    changed = pickle.loads(pickle.dumps(fitted)).set_params(**setting)
    with pytest.raises(InvalidParameter, match=said):
        changed.save(tmp_path / "changed")
    assert not (tmp_path / "changed").exists()


@pytest.mark.parametrize(
    "setting",
    [
        {"latent_dim": 2**100},
        {"latent_dim": 2**20 + 1},
        {"hidden": [2**20 + 1]},
        {"hidden": [1] * 1001},
        {"epochs": 2**31},
        {"batch_size": 10**400},
        {"learning_rate": 10**400},
        {"contraction": 2**2000},
        {"verbose": 2**64},
    ],
    ids=lambda setting: next(iter(setting)),
)
def test_absurd_numbers_are_refused_in_fit_and_in_archives(setting, fitted, tmp_path):
    (name,) = setting
    with pytest.raises(InvalidArchive, match=f"the archive's settings: {name}: expected"):
        ist.load(stored_with(fitted, tmp_path / "m", setting))
    with pytest.raises(InvalidParameter, match=f"{name}: expected"):
        ist.Autoencoder(**setting).fit(X)


def test_a_setting_in_numpys_types_comes_back_from_an_archive(tmp_path):
    given = {"linear_path": np.True_, "l1": np.float32(0.5), "hidden": [np.int64(4)]}
    ist.Autoencoder(np.int32(2), epochs=1, verbose=np.False_, **given).fit(X).save(tmp_path / "m")
    model = ist.load(tmp_path / "m")
    assert (model.linear_path, model.l1, model.hidden, model.verbose) == (True, 0.5, (4,), False)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"false_alarm_rate": 0}, "false_alarm_rate: expected a finite number above 0"),
        ({"mode": "noveltie"}, "did you mean 'novelty'"),
        ({"window": 1}, "window: expected an integer from 2"),
    ],
)
def test_a_detector_checks_its_settings_in_fit_and_in_archives(setting, said, tmp_path):
    with pytest.raises(InvalidParameter, match=said):
        ist.AnomalyDetector(**setting).fit(X)
    detector = ist.AnomalyDetector(false_alarm_rate=0.2, random_state=0).fit(X)
    with pytest.raises(InvalidArchive, match=said):
        ist.load(stored_with(detector, tmp_path / "d", setting))

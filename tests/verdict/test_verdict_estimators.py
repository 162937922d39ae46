"""Our own estimators, live and as archives, are what they are called."""

import pytest
from models import DENOISING, SUPERVISED, UNDER, VARIATIONAL
from sklearn.datasets import load_iris

import isthmus as ist

KINDS = {
    "Autoencoder": UNDER,
    "DenoisingAutoencoder": DENOISING,
    "VariationalAutoencoder": VARIATIONAL,
    "SupervisedAutoencoder": SUPERVISED,
}


@pytest.mark.parametrize("name", KINDS)
def test_an_estimator_and_its_archive(name, tmp_path):
    data = load_iris()
    labels = (data.target,) if name == "SupervisedAutoencoder" else ()
    model = getattr(ist, name)(2, hidden=(8,), epochs=1, verbose=0, random_state=0)
    model.fit(data.data, *labels).save(tmp_path / "model.isthmus")
    verdict = ist.inspect(model)
    assert (verdict.is_autoencoder, verdict.kind) == (True, KINDS[name])
    assert (verdict.input_size, verdict.code_size, verdict.compression) == (4, 2, 2.0)
    assert ist.inspect(tmp_path / "model.isthmus") == verdict
    assert verdict.parameters == ist.parameter_table(model)
    assert ist.inspect(model.encoder_).is_autoencoder is False
    assert ist.inspect(model.decoder_).is_autoencoder is False

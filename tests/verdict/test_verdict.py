"""The verdict is an expert's, on live models and on their files alike."""

import pytest
from models import UNDECIDED, ZOO, Case, without_drawing

import isthmus as ist
from isthmus.verdict.rules import Kind


@pytest.fixture(params=ZOO, scope="module")
def named(request):
    """A case of the zoo, with its model built once."""
    found: Case = ZOO[request.param]
    with pytest.MonkeyPatch.context() as patch:
        without_drawing(patch)
        return found, found.build()


def check(case: Case, verdict: ist.Verdict) -> None:
    assert (verdict.is_autoencoder, verdict.kind) == (case.answer, case.kind), str(verdict)
    if case.code is not None:
        assert verdict.code_size == case.code, str(verdict)
    assert case.says in " ".join(verdict.reasons)


def test_a_live_model_is_judged_right(named):
    case, model = named
    check(case, ist.inspect(model, target=case.target))


def test_without_a_target_only_shapes_and_losses_decide(named):
    case, model = named
    verdict = ist.inspect(model)
    assert verdict.kind == case.without, str(verdict)
    assert verdict.is_autoencoder is (None if case.without == UNDECIDED else False)
    if verdict.is_autoencoder is None:
        assert "Missing" in " ".join(verdict.reasons)


def test_its_file_gets_the_same_verdict(named, tmp_path):
    case, model = named
    path = tmp_path / "model.keras"
    model.save(path)
    verdict, live = (ist.inspect(m, target=case.target) for m in (path, model))
    check(case, verdict)
    names = ("kind", "is_autoencoder", "input_size", "code_size", "compression", "bottleneck")
    for name in names:
        assert getattr(verdict, name) == getattr(live, name), name
    for name in ("encoder", "decoder", "heads"):
        assert set(getattr(verdict, name)) == set(getattr(live, name)), name
    if "cannot be counted" in " ".join(verdict.reasons):
        return
    assert verdict.parameters.total == model.count_params()
    assert verdict.parameters.trainable == live.parameters.trainable
    counted = {(r.part, r.name): r for r in verdict.parameters.rows if r.total}
    assert counted == {(r.part, r.name): r for r in live.parameters.rows if r.total}


def test_the_zoo_is_large_and_holds_every_kind():
    assert len(ZOO) >= 40
    assert {case.kind for case in ZOO.values()} | {UNDECIDED} == {str(kind) for kind in Kind}

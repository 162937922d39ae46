import keras
import pytest

from isthmus.core.errors import InvalidParameter
from isthmus.training.config import OPTIMIZERS, TrainingConfig


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_every_optimizer_builds(name):
    optimizer = TrainingConfig(1, 1, optimizer=name, learning_rate=0.5).build_optimizer()
    assert float(optimizer.learning_rate) == 0.5


def test_a_given_optimizer_is_copied():
    mine = keras.optimizers.RMSprop(0.002, momentum=0.01)
    recipe = TrainingConfig(1, 1, optimizer=mine)
    built = recipe.build_optimizer()
    assert built is not mine
    assert built.get_config() == mine.get_config()
    assert not recipe.scheduled


def test_cosine_rises_and_falls_to_zero():
    recipe = TrainingConfig(1, 1, learning_rate=2.0, warmup=0.1)
    rates = [float(recipe.rate_at(p)) for p in (0.0, 0.05, 0.1, 0.55, 1.0)]
    assert rates == pytest.approx([0, 1, 2, 1, 0], abs=1e-6)
    assert float(TrainingConfig(1, 1, learning_rate=2.0, schedule="constant").rate_at(0.9)) == 2.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": "adan"}, "did you mean 'adam'"),
        ({"optimizer": 3}, "expected a keras optimizer or one of"),
        ({"optimizer": keras.optimizers.SGD(loss_scale_factor=2.0)}, "without loss scaling"),
        ({"optimizer": keras.optimizers.SGD(use_ema=True)}, "use_ema=False"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
    ],
)
def test_unknown_names(settings, message):
    recipe = TrainingConfig(1, 1, **settings)
    with pytest.raises(InvalidParameter, match=message):
        (recipe.build_optimizer(), recipe.rate_at(0.5))

"""The data decide settings that are left open (docs/adr/0004-defaults.md)."""

import pytest

from isthmus.networks.architecture_settings import ArchitectureSettings
from isthmus.networks.catalogue import ARCHITECTURES


@pytest.mark.parametrize(
    ("cells", "values", "hidden", "normalization"),
    [
        (784, "unit", (512, 256, 128), "batch"),
        (64, "unit", (256, 128, 64), "batch"),
        (200, "real", (512, 256, 128), "none"),
        (30, "real", (120, 64), "none"),
        (4, "mixed", (64, 64), "none"),
        (6, "unit", (64, 64), "none"),
    ],
)
def test_dense(cells, values, hidden, normalization):
    settings = ArchitectureSettings((cells,), values, None, "gelu", "auto", True, "float32")
    dense = ARCHITECTURES["dense"].from_settings(settings)
    assert (dense.hidden, dense.normalization) == (hidden, normalization)

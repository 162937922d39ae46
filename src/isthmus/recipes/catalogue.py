"""The recipes by name. To add one, add a module and list it here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.core.catalogue import Catalogue
from isthmus.recipes import (
    compress,
    conv_transpose,
    conv_upsampling,
    custom_loss,
    deep_tanh_2,
    denoising,
    dense_25_elu,
    dense_32,
    dense_100_20,
    dense_128_64_32,
    downstream,
    linear_2,
    recurrent,
    reduce_then_map,
    sensor_anomalies,
    similar,
    supervised_2,
    variational,
    verdict,
)

if TYPE_CHECKING:
    from isthmus.recipes.recipe import Recipe

_MODULES = (
    dense_32,
    custom_loss,
    downstream,
    deep_tanh_2,
    supervised_2,
    dense_100_20,
    conv_upsampling,
    conv_transpose,
    dense_128_64_32,
    denoising,
    reduce_then_map,
    variational,
    linear_2,
    dense_25_elu,
    compress,
    sensor_anomalies,
    similar,
    verdict,
    recurrent,
)

RECIPES: Catalogue[Recipe] = Catalogue(
    "recipe", {module.RECIPE.name: module.RECIPE for module in _MODULES}
)

"""Processes that train together, and those that do not."""

import pytest

from isthmus.estimators import agreement


def test_a_program_that_only_imports_ray_train_is_not_refused():
    pytest.importorskip("ray.train", exc_type=ImportError)
    agreement.check_workers()

"""Saved models in MLflow: an MLflow model is an archive of isthmus, which no pickle is part of.

MLflow finds `_load_pyfunc` here, because the models that are saved name this module as theirs.
"""

from isthmus.mlflow.models import _load_pyfunc as _load_pyfunc
from isthmus.mlflow.models import load_model as load_model
from isthmus.mlflow.models import log_model as log_model
from isthmus.mlflow.models import save_model as save_model

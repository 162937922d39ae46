"""A fitted model whose reconstruction and codes a test decides."""

from types import SimpleNamespace

import numpy as np

from isthmus.data.schema import infer_schema


class Known(SimpleNamespace):
    """A fitted model whose answers the test decides."""

    def __init__(self, X, reconstruct, codes=None, size=2, **known):
        codes = codes or (lambda matrix: matrix.reshape(len(matrix), -1)[:, :size])
        super().__init__(
            encoder=None,
            architecture="dense",
            schema_=infer_schema(X),
            reconstruct_matrix=reconstruct,
            encode_matrix=lambda rows: np.nan_to_num(codes(rows)),
            latent_dim_=size,
            n_samples_=len(X),
            fit_seconds_=1.0,
            best_epoch_=2,
            stop_reason_="finished",
            history_={"epoch": [1, 2], "loss": [1.0, 1.0]},
        )
        vars(self).update(known)

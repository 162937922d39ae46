"""Data parallelism: the devices that share the rows of each training step.

All devices hold the same weights, and the same rows or those that their process has read. Each
computes the gradient of its part of a batch, and one sum over all of them makes the gradient of the
batch. So the epochs of a run are those of one device with the same batch size, up to rounding; only
noise, such as that of a `DenoisingAutoencoder`, is drawn by device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.flatten_util import ravel_pytree
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from isthmus.core import processes
from isthmus.core.aligned_memory import device_copy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_AXIS = "rows"
_SAME = PartitionSpec()  # type: ignore[no-untyped-call]
_ROWS = PartitionSpec(_AXIS)  # type: ignore[no-untyped-call]
_COLUMNS = PartitionSpec(None, _AXIS)  # type: ignore[no-untyped-call]


class Devices:
    """The devices of a run.

    Parameters
    ----------
    devices : sequence of jax.Device
        All devices, of all processes; one means no parallelism.

    Attributes
    ----------
    count, local_count : int
        Number of all devices, and of those of this process.
    """

    def __init__(self, devices: Sequence[jax.Device]) -> None:
        self.count = len(devices)
        self._mesh = Mesh(np.asarray(devices), (_AXIS,)) if self.count > 1 else None
        self.local_count = 1 if self._mesh is None else len(self._mesh.local_devices)

    @classmethod
    def available(cls) -> Self:
        """Return all devices of all processes, or the one set as ``jax_default_device``."""
        chosen: Any = jax.config.values["jax_default_device"]
        if chosen is None or processes.count() > 1:
            return cls(jax.devices())
        return cls(jax.devices(chosen)[:1] if isinstance(chosen, str) else [chosen])

    def rounded(self, rows: int) -> int:
        """Return the size of a batch that all devices can share: `rows`, or a few more."""
        return -(-rows // self.count) * self.count

    def place(self, tree: Any) -> Any:
        """Copy the arrays of a tree to every device; they must be equal in all processes."""
        if self._mesh is None:
            return jax.tree.map(jax.device_put, tree)
        everywhere = NamedSharding(self._mesh, _SAME)

        def placed(value: Any) -> Any:
            if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
                return jax.random.wrap_key_data(placed(jax.random.key_data(value)))
            array = np.asarray(value)
            return jax.make_array_from_callback(array.shape, everywhere, array.__getitem__)

        return jax.tree.map(placed, tree)

    def place_own(self, matrix: Any, order: Any, weights: Any) -> tuple[jax.Array, ...]:
        """Copy the rows of this process to its devices, and divide its batches among them.

        Parameters
        ----------
        matrix : ndarray of shape (n, *sample_shape)
            Of the same shape in all processes.
        order, weights : ndarray of shape (batches, rows)
            Rows of each batch, as many for each device of this process.
        """
        if self._mesh is None:
            raise AssertionError("only one process has all rows")
        own = [device for device in self._mesh.devices.flat if device in self._mesh.local_devices]
        size = order.shape[1] // len(own)
        parts = {device: slice(i * size, (i + 1) * size) for i, device in enumerate(own)}

        def placed(spec: PartitionSpec, shape: tuple[int, ...], shards: list[Any]) -> jax.Array:
            arrays = [jax.device_put(s, device) for s, device in zip(shards, own, strict=True)]
            sharding = NamedSharding(self._mesh, spec)  # type: ignore[arg-type]
            return jax.make_array_from_single_device_arrays(shape, sharding, arrays)

        rows, columns = matrix.shape[0] * self.count, size * self.count
        batches = [
            placed(_COLUMNS, (len(each), columns), [each[:, part] for part in parts.values()])
            for each in (order, weights)
        ]
        return placed(_ROWS, (rows, *matrix.shape[1:]), [matrix] * len(own)), *batches

    def copies(self, values: Sequence[Any]) -> list[jax.Array]:
        """Copy arrays on the devices, so that a step may consume the originals."""
        if self._mesh is None:
            return [device_copy(value) for value in values]
        return [self.place(np.array(value)) for value in values]

    def first_copies(self, values: Sequence[Any]) -> list[jax.Array]:
        """Copy the arrays of the first process on all devices: machines may round differently."""
        if processes.count() > 1:
            values = multihost_utils.broadcast_one_to_all([np.asarray(value) for value in values])
        return self.copies(values)

    def fetch(self, value: jax.Array) -> Any:
        """Return an array of the run as one that Keras can store."""
        return value if self._mesh is None else np.asarray(value)

    def spread(
        self, function: Callable[..., Any], own: Callable[[Any, Any, Any], Any] | None = None
    ) -> Callable[..., Any]:
        """Return a function that runs on every device with the same arguments and results.

        Parameters
        ----------
        function : callable
            Takes and returns trees of arrays.
        own : callable, optional
            Returns the arguments that differ between the devices, given what `place_own` made: the
            specifications of all arguments are those of its result.
        """
        if self._mesh is None:
            return function
        specs = _SAME if own is None else own(_ROWS, _COLUMNS, _SAME)
        return jax.shard_map(
            function, mesh=self._mesh, in_specs=specs, out_specs=_SAME, check_vma=False
        )

    def own_part(self, batches: jax.Array) -> jax.Array:
        """Return this device's part of each batch, (batches, rows); only in a spread function."""
        if self._mesh is None:
            return batches
        size = batches.shape[1] // self.count
        start = jax.lax.axis_index(_AXIS) * size
        return jax.lax.dynamic_slice_in_dim(batches, start, size, axis=1)

    def own_key(self, key: jax.Array) -> jax.Array:
        """Return this device's key; only in a spread function."""
        return key if self._mesh is None else jax.random.fold_in(key, jax.lax.axis_index(_AXIS))

    def combined(self, means: Any, sums: Any, weight: jax.Array) -> tuple[Any, Any, jax.Array]:
        """Combine what each device computed from its part of a batch; only in a spread function.

        Parameters
        ----------
        means : tree of arrays
            Means over the part's rows, such as the loss and the gradient. Integers, such as the
            states of random layers, are equal everywhere and stay as they are.
        sums : tree of arrays
            Sums over the part's rows.
        weight : array of shape ()
            The weight of the part's rows.

        Returns
        -------
        tuple
            The means and sums over the batch, and its weight.
        """
        if self._mesh is None:
            return means, sums, weight
        leaves, structure = jax.tree.flatten(means)
        averaged = [jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves]
        parts = [leaf * weight for leaf, mean in zip(leaves, averaged, strict=True) if mean]
        # One sum of one vector: a sum of each array costs several times as much.
        vector, unravel = ravel_pytree((parts, sums, weight))
        total = jax.lax.psum(vector, _AXIS)  # type: ignore[no-untyped-call]
        parts, sums, weight = unravel(total)
        made = iter(parts)
        divisor = jnp.maximum(weight, 1.0)
        leaves = [
            next(made) / divisor if mean else leaf
            for leaf, mean in zip(leaves, averaged, strict=True)
        ]
        return jax.tree.unflatten(structure, leaves), sums, weight

"""`Saved`: what a network can do with files. The work is that of `kcore.saving`, which stands above the engine."""

from __future__ import annotations

import importlib
from typing import Any


class Saved:
    """The methods of a network that write it, or read its weights; manual, chapter 4."""

    def save(
        self,
        filepath: Any,
        overwrite: bool = True,
        include_optimizer: bool = True,
        include_random_state: bool = False,
    ) -> None:
        """Save architecture, weights, and training configuration and state to one HDF5 file.

        Args:
            filepath: path, or open `h5py.File` or `Group`.
            overwrite: boolean; False asks on the terminal before an existing file is replaced.
            include_optimizer: boolean, whether the optimizer's state is saved too.
            include_random_state: boolean, whether the state of drop-out, noise and NumPy's global generator is saved
                too, for `load_model(..., restore_random_state=True)`.
        """
        _saving().save_model(self, filepath, overwrite, include_optimizer, include_random_state)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Save the weights to an HDF5 file.

        Args:
            filepath: path, or open `h5py.File` or `Group`.
            overwrite: boolean; False asks on the terminal before an existing file is replaced.
        """
        _saving().save_weights(self, filepath, overwrite)

    def load_weights(
        self, filepath: Any, by_name: bool = False, skip_mismatch: bool = False, reshape: bool = False
    ) -> None:
        """Load weights from an HDF5 file of weights or of a whole model.

        Args:
            filepath: path, or open `h5py.File` or `Group`.
            by_name: boolean; False: the layers with weights are matched in order. True: layers are
                matched by their names, and others are left as they are.
            skip_mismatch: boolean, with `by_name`: skip layers whose weights have other shapes or
                another number, with a warning.
            reshape: boolean, with `by_name`: reshape weights that have as many elements.

        Raises:
            ValueError: the file does not fit; the model is unchanged then.
        """
        _saving().load_weights(self, filepath, by_name, skip_mismatch, reshape)

    def to_json(self, **kwargs: Any) -> str:
        """The architecture as a JSON string, for `model_from_json`.

        Args:
            kwargs: passed to `json.dumps`.
        """
        return _saving().model_to_json(self, **kwargs)

    def to_yaml(self, **kwargs: Any) -> str:
        """The architecture as a YAML string, for `model_from_yaml`; needs PyYAML.

        Args:
            kwargs: passed to `yaml.safe_dump`.
        """
        return _saving().model_to_yaml(self, **kwargs)


def _saving() -> Any:
    """`kcore.saving`, which stands above the engine and is imported when a model is saved."""
    return importlib.import_module("kcore.saving")

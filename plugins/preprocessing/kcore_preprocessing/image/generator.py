"""`ImageDataGenerator`: what is done to images, and the iterators that do it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kcore import backend as K
from kcore.errors import ArgumentError, DataError, ShapeError, warn
from kcore.versions import explained
from kcore_preprocessing.image import affine, transforms
from kcore_preprocessing.image.directory import DirectoryIterator
from kcore_preprocessing.image.files import channel_axis
from kcore_preprocessing.image.iterators import NumpyArrayIterator, as_images, check_channels, drawing_from
from kcore_preprocessing.image.transforms import Choice, Uniform


class ImageDataGenerator:
    """Batches of images, transformed at random and standardized. Manual, section 6.3.

    An image is transformed first (rotation, shift, shear, zoom, then channel shift, flips, brightness), then
    standardized: preprocessing_function, rescale, samplewise, featurewise, ZCA. So `cval`, `channel_shift_range` and
    `brightness_range` are in the units of the pixels as they are read, whatever `rescale` is.

    Args:
        featurewise_center: subtract the mean of the data, for each channel; needs `fit`.
        samplewise_center: subtract the mean of each image.
        featurewise_std_normalization: divide by the deviation of the data; needs `fit`; centres too.
        samplewise_std_normalization: divide each image by its deviation; centres too.
        zca_whitening: decorrelate the pixels; needs `fit`; centres too.
        zca_epsilon: added to the variances.
        rotation_range: degrees.
        width_shift_range, height_shift_range: a float: a fraction of the size if below 1, else pixels; an int n:
            whole pixels in -n+1..n-1; a list: one of its values, of either sign.
        brightness_range: (lower, upper) factor.
        shear_range: shear angle, in radians.
        zoom_range: (lower, upper), or z for (1 - z, 1 + z).
        channel_shift_range: largest value added to all channels.
        fill_mode: what is outside of the image: 'constant' (`cval`), 'nearest', 'reflect' or 'wrap'.
        cval: the constant.
        horizontal_flip, vertical_flip: flip half of the images.
        rescale: factor; None or 0 for none.
        preprocessing_function: a function of one image (3 axes) that gives one of the same shape.
        data_format: 'channels_last', 'channels_first', or None for the configured one.
        validation_split: fraction of the images that `subset='validation'` takes.

    Raises:
        ArgumentError: an argument out of its range.

    Example:
        >>> import numpy as np
        >>> augment = ImageDataGenerator(rotation_range=20, horizontal_flip=True)
        >>> next(augment.flow(np.zeros((8, 5, 5, 3)), batch_size=4, seed=1)).shape
        (4, 5, 5, 3)
    """

    @explained
    def __init__(
        self,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-6,
        rotation_range: float = 0.0,
        width_shift_range: Any = 0.0,
        height_shift_range: Any = 0.0,
        brightness_range: Any = None,
        shear_range: float = 0.0,
        zoom_range: Any = 0.0,
        channel_shift_range: float = 0.0,
        fill_mode: str = "nearest",
        cval: float = 0.0,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rescale: float | None = None,
        preprocessing_function: Callable[[np.ndarray], np.ndarray] | None = None,
        data_format: str | None = None,
        validation_split: float = 0.0,
    ) -> None:
        self.channel_axis = channel_axis(data_format) + 1  # of a batch
        self.data_format = K.image_data_format() if data_format is None else data_format
        self.featurewise_center = featurewise_center or featurewise_std_normalization or zca_whitening
        self.samplewise_center = samplewise_center or samplewise_std_normalization
        self.featurewise_std_normalization = featurewise_std_normalization and not zca_whitening
        self.samplewise_std_normalization = samplewise_std_normalization
        self.zca_whitening, self.zca_epsilon = zca_whitening, zca_epsilon
        self.rotation_range, self.shear_range = rotation_range, shear_range
        self.width_shift_range, self.height_shift_range = width_shift_range, height_shift_range
        self.channel_shift_range, self.fill_mode, self.cval = channel_shift_range, fill_mode, cval
        self.horizontal_flip, self.vertical_flip = horizontal_flip, vertical_flip
        self.rescale, self.preprocessing_function = rescale, preprocessing_function
        self.validation_split = validation_split
        if fill_mode not in affine.FILL_MODES:
            raise ArgumentError(
                f"fill_mode is {fill_mode!r}; expected one of {', '.join(map(repr, affine.FILL_MODES))}"
            )
        if not 0 <= validation_split < 1:
            raise ArgumentError(
                f"validation_split is {validation_split}; expected a fraction, 0 <= validation_split < 1"
            )
        if preprocessing_function is not None and not callable(preprocessing_function):
            raise ArgumentError(
                f"preprocessing_function is {preprocessing_function!r}; expected a function of one image, or None"
            )
        if abs(shear_range) >= np.pi / 2:
            raise ArgumentError(
                f"shear_range is {shear_range} radians; expected less than pi/2. For degrees: np.deg2rad({shear_range})"
            )
        self.zoom_range = _range("zoom_range", zoom_range, scalar=True)
        self.brightness_range = None if brightness_range is None else _range("brightness_range", brightness_range)
        self.mean: Any = None
        self.std: Any = None
        self.principal_components: Any = None

    @explained
    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        sample_weight: Any = None,
    ) -> NumpyArrayIterator:
        """Batches of an array of images, without end.

        Args:
            x: array (samples, rows, cols, channels), or channels first.
            y: labels, one for each image; None for batches of images alone.
            batch_size: images a batch.
            shuffle: a new order for each pass.
            seed: of order and transforms.
            save_to_dir: a folder to write the transformed images to, or None.
            save_prefix, save_format: of those files ('png' or 'jpeg').
            subset: 'training', 'validation' or None: which part of `validation_split`.
            sample_weight: one for each image.

        Returns:
            a `Sequence` of x, (x, y) or (x, y, sample_weight), which is an iterator too.
        """
        return NumpyArrayIterator(
            x, y, self, batch_size, shuffle, seed, self.data_format, save_to_dir, save_prefix, save_format, subset,
            sample_weight,
        )  # fmt: skip

    @explained
    def flow_from_directory(
        self,
        directory: Any,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Any = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
    ) -> DirectoryIterator:
        """Batches of the pictures in a folder that has one folder for each class, without end.

        Args:
            directory: the folder.
            target_size: (rows, cols) to resize to.
            color_mode: 'rgb' or 'grayscale'.
            classes: names of the class folders, in the order of their numbers; None for all, sorted.
            class_mode: 'categorical' (one-hot), 'binary', 'sparse' (int), 'input' (the images themselves), or None.
            follow_links: whether to go into linked folders.
            interpolation: see `load_img`.

        The other arguments are those of `flow`.
        """
        return DirectoryIterator(
            directory, self, target_size, color_mode, classes, class_mode, batch_size, shuffle, seed, self.data_format,
            save_to_dir, save_prefix, save_format, follow_links, subset, interpolation,
        )  # fmt: skip

    @explained
    def fit(self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Compute what featurewise standardization and ZCA need, from sample images as they are after rescaling.

        Args:
            x: array (samples, rows, cols, channels), or channels first.
            augment: use randomly transformed images.
            rounds: how many transforms of each image, with `augment`.
            seed: of the transforms.
        """
        x = as_images("x", x).astype(K.floatx())
        check_channels(x, self.data_format)
        if rounds < 1:
            raise ArgumentError(f"rounds is {rounds}; expected at least 1")
        if not len(x):
            raise DataError("fit: x has no images")
        if augment:
            random = _random(seed)
            x = np.concatenate([self._transformed(x, random) for _ in range(rounds)])
        axes = tuple(axis for axis in range(4) if axis != self.channel_axis)
        if self.featurewise_center:
            self.mean = x.mean(axis=axes, keepdims=True, dtype="float64").astype(x.dtype)[0]
            x -= self.mean
        if self.featurewise_std_normalization:
            self.std = x.std(axis=axes, keepdims=True, dtype="float64").astype(x.dtype)[0]
            x /= self.std + K.epsilon()
        if self.zca_whitening:
            flat = x.reshape(len(x), -1)
            # Summed up over parts of the data, so that no copy of them all in double precision is needed.
            sigma = sum(
                part.T @ part for part in (flat[i : i + 1024].astype("float64") for i in range(0, len(x), 1024))
            )
            variances, u = np.linalg.eigh(sigma / len(x))
            scale = 1 / np.sqrt(np.maximum(variances, 0) + self.zca_epsilon)
            self.principal_components = ((u * scale) @ u.T).astype(x.dtype)

    def standardize(self, x: np.ndarray) -> np.ndarray:
        """One image, or a batch of them, standardized; float arrays are changed in place."""
        if np.ndim(x) not in (3, 4):
            raise ShapeError(
                f"x has the shape {np.shape(x)}; expected one image of 3 axes, or a batch of 4", shapes=(np.shape(x),)
            )
        x = np.asarray(x)
        one = x.ndim == 3
        if self.preprocessing_function:
            x = self._preprocessed(x) if one else np.stack([self._preprocessed(image) for image in x])
        x = x if np.issubdtype(x.dtype, np.floating) else x.astype(K.floatx())
        axes = (-3, -2, -1)
        if self.rescale:
            x *= x.dtype.type(self.rescale)
        if self.samplewise_center:
            x -= x.mean(axis=axes, keepdims=True)
        if self.samplewise_std_normalization:
            x /= x.std(axis=axes, keepdims=True) + K.epsilon()
        if self.featurewise_center and self._fitted("featurewise_center", self.mean):
            if self.mean.size != x.shape[self.channel_axis - 4]:
                raise ShapeError(
                    f"x has the shape {x.shape}; fit was given images of {self.mean.size} channels "
                    f"(data_format {self.data_format!r})",
                    shapes=(x.shape,),
                )
            x -= self.mean
        if self.featurewise_std_normalization and self._fitted("featurewise_std_normalization", self.std):
            x /= self.std + K.epsilon()
        if self.zca_whitening and self._fitted("zca_whitening", self.principal_components):
            flat = x.reshape(1 if one else len(x), -1)
            if flat.shape[1] != len(self.principal_components):
                raise ShapeError(
                    f"x has the shape {x.shape}, {flat.shape[1]} values an image; fit for zca_whitening was given "
                    f"images of {len(self.principal_components)}",
                    shapes=(x.shape,),
                )
            x = (flat @ self.principal_components).reshape(x.shape)
        return x

    def get_random_transform(self, img_shape: Any, seed: int | None = None) -> dict[str, Any]:
        """Draw the parameters of a transform, for `apply_transform`, from `np.random` or a seed.

        Args:
            img_shape: shape of the image, three numbers.
        """
        if np.shape(img_shape) != (3,):
            raise ShapeError(f"img_shape is {img_shape!r}; expected three sizes, those of one image")
        drawn = self._draw(tuple(img_shape), _random(seed), 1)
        return transforms.NEUTRAL | {name: values[0].item() for name, values in drawn.items()}

    def apply_transform(self, x: Any, transform_parameters: dict[str, Any]) -> np.ndarray:
        """One image transformed.

        Args:
            x: array, 3 axes.
            transform_parameters: any of 'theta' and 'shear' (degrees), 'tx' and 'ty' (rows and columns), 'zx', 'zy',
                'flip_horizontal', 'flip_vertical', 'channel_shift_intensity', 'brightness'.
        """
        x = np.asarray(x)
        if x.ndim != 3:
            raise ShapeError(f"x has the shape {x.shape}; expected one image, with 3 axes", shapes=(x.shape,))
        unknown = sorted(set(transform_parameters) - set(transforms.NEUTRAL))
        if unknown:
            raise ArgumentError(f"transform_parameters has {unknown}; expected any of {', '.join(transforms.NEUTRAL)}")
        x = x if np.issubdtype(x.dtype, np.floating) else x.astype(K.floatx())
        given = {name: np.array([value]) for name, value in transform_parameters.items() if value is not None}
        return self._apply(x[None], given)[0]

    def random_transform(self, x: Any, seed: int | None = None) -> np.ndarray:
        """One image, transformed at random."""
        return self.apply_transform(x, self.get_random_transform(np.shape(x), seed))

    # -- for the iterators ---------------------------------------------------------------------------------
    def _part(self, subset: str | None) -> tuple[float, float]:
        """The part of the images that a subset is, as two fractions."""
        parts = {None: (0, 1), "validation": (0, self.validation_split), "training": (self.validation_split, 1)}
        if subset not in parts:
            raise ArgumentError(f"subset is {subset!r}; expected 'training', 'validation' or None")
        return parts[subset]

    def _augmented(self, images: np.ndarray, random: np.random.RandomState) -> np.ndarray:
        """A batch, transformed and standardized; users' own code draws from `random` too, image by image."""
        base = ImageDataGenerator
        own = ("get_random_transform", "apply_transform", "random_transform", "standardize")
        if not self.preprocessing_function and all(getattr(type(self), n) is getattr(base, n) for n in own):
            return self.standardize(self._transformed(images, random))
        with drawing_from(random):
            return np.stack([self.standardize(self.random_transform(image)) for image in images])

    def _transformed(self, images: np.ndarray, random: Any) -> np.ndarray:
        return self._apply(images, self._draw(images.shape[1:], random, len(images)))

    def _draw(self, shape: tuple[int, ...], random: Any, count: int) -> dict[str, np.ndarray]:
        """Parameters of the transforms of `count` images: see `transforms`."""
        rows, cols = (shape[i] for i in range(3) if i != self.channel_axis - 1)
        zoom = None if self.zoom_range == (1, 1) else Uniform(*self.zoom_range)
        ranges = {
            "theta": _around_0(self.rotation_range),
            "tx": _shifts(self.height_shift_range),
            "ty": _shifts(self.width_shift_range),
            "shear": _around_0(self.shear_range),
            **{"zx": zoom, "zy": zoom},
            **{"flip_horizontal": Uniform(0, 1), "flip_vertical": Uniform(0, 1)},
            "channel_shift_intensity": _around_0(self.channel_shift_range),
            "brightness": None if self.brightness_range is None else Uniform(*self.brightness_range),
        }
        drawn = transforms.draw(ranges, random, count)
        for name, given, size in (("tx", self.height_shift_range, rows), ("ty", self.width_shift_range, cols)):
            if name in drawn and np.max(given) < 1:
                drawn[name] = drawn[name] * size
        if "shear" in drawn:
            drawn["shear"] = np.rad2deg(drawn["shear"])
        for name, wanted in (("flip_horizontal", self.horizontal_flip), ("flip_vertical", self.vertical_flip)):
            drawn[name] = (drawn[name] < 0.5) & bool(wanted)
        return drawn

    def _apply(self, images: np.ndarray, parameters: dict[str, np.ndarray]) -> np.ndarray:
        x = transforms.apply(np.moveaxis(images, self.channel_axis, 3), parameters, self.fill_mode, self.cval)
        return np.ascontiguousarray(np.moveaxis(x, 3, self.channel_axis))

    def _preprocessed(self, image: np.ndarray) -> np.ndarray:
        assert self.preprocessing_function is not None
        result = np.asarray(self.preprocessing_function(image))
        if result.shape != image.shape:
            raise ShapeError(
                f"preprocessing_function made the shape {result.shape} of an image of the shape {image.shape}; "
                "expected the same shape",
                shapes=(image.shape, result.shape),
            )
        return result

    def _fitted(self, name: str, value: Any) -> bool:
        if value is None:
            warn(
                f"ImageDataGenerator has {name}, but was not fitted, so the images stay as they are: call fit(x) with "
                "sample images first"
            )
        return value is not None


def _random(seed: int | None) -> Any:
    return np.random if seed is None else np.random.RandomState(seed)


def _around_0(limit: float) -> Uniform | None:
    return Uniform(-limit, limit) if limit else None


def _shifts(given: Any) -> Uniform | Choice | None:
    if np.ndim(given) or isinstance(given, int | np.integer):
        return Choice(given) if np.any(given) else None
    return _around_0(given)


def _range(name: str, given: Any, scalar: bool = False) -> tuple[float, float]:
    if scalar and isinstance(given, int | float | np.number):
        return 1 - given, 1 + given
    if isinstance(given, str) or np.shape(given) != (2,):
        raise ArgumentError(f"{name} is {given!r}; expected {'a number or ' if scalar else ''}two: (lower, upper)")
    return given[0], given[1]

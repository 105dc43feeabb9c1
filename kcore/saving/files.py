"""HDF5 files: opened for reading with care, written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
from collections.abc import Iterator
from typing import Any, BinaryIO

import h5py

from kcore.errors import ArgumentError, DamagedFileError, KcoreError, OverwriteError, SavedModelError
from kcore.saving.groups import has_names
from kcore.saving.guarded import GuardedFile, GuardedGroup, check_lengths

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
#: What people take for an HDF5 file, by how it begins.
_OTHER_FILES = {
    b"PK\x03\x04": "it is a zip archive, as the .keras files of Keras 3 are (save the model there as .h5 instead)",
    b"{": "it is JSON (an architecture is made by model_from_json(text); weights are in another file)",
    b"version https://git-lfs": "it is a pointer of Git LFS, and the file was not fetched (git lfs pull)",
    b"<": "it is a web page or XML, perhaps instead of a download",
}
_BLOCK = 1 << 20  # bytes by which a file grows in memory


@contextlib.contextmanager
def reading(source: Any) -> Iterator[Any]:
    """Open for reading.

    Args:
        source: path, open `h5py.File` or `Group`, binary file object, or the bytes of a file.

    Returns:
        An `h5py.Group`.

    Raises:
        FileNotFoundError, and other OSErrors of opening a file.
        DamagedFileError (a ValueError and OSError): not an HDF5 file, or one that cannot be read.
    """
    name = name_of(source)
    with _opened(source) as opened, naming(name):
        try:
            with _group(opened) as group:
                yield group
        except (OSError, RuntimeError, KeyError) as error:
            # h5py answers damage inside a file with any of these.
            if isinstance(error, KcoreError) and not (isinstance(error, DamagedFileError) and error.path is None):
                raise
            raise DamagedFileError(
                f"{name} cannot be read: {error}. It is not an HDF5 file of a model or its weights, or it is damaged "
                "or incomplete.",
                path=name,
            ) from error


@contextlib.contextmanager
def naming(name: str) -> Iterator[None]:
    """Let errors say which file, or whatever else was read, they are about."""
    try:
        yield
    except KcoreError as error:
        error.say_source(name)
        if isinstance(error, SavedModelError):
            error.path = error.path or name
        raise


def _opened(source: Any) -> Any:
    """A context manager of an `h5py.Group` or a binary file object."""
    if isinstance(source, (str, os.PathLike)):
        if os.path.isdir(source):
            why = "A folder is no HDF5 file (TensorFlow's SavedModel is a folder, and is not read)"
            raise IsADirectoryError(errno.EISDIR, why, os.fsdecode(source))
        return open(source, "rb", buffering=0)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return io.BytesIO(source)
    if not isinstance(source, h5py.Group) and not (hasattr(source, "read") and hasattr(source, "seek")):
        raise ArgumentError(
            "A path, an open h5py.File or Group, a binary file object or the bytes of a file was expected, but got "
            f"{type(source).__name__}: {source!r:.100}"
        )
    return contextlib.nullcontext(source)


@contextlib.contextmanager
def _group(opened: Any) -> Iterator[Any]:
    if isinstance(opened, h5py.Group):
        yield opened
        return
    guarded = GuardedFile(opened)
    _check_signature(guarded)
    with h5py.File(guarded, "r") as file:
        check_lengths(file)
        yield GuardedGroup(file["/"].id, guarded)


def _check_signature(file: GuardedFile) -> None:
    """Refuse what is no HDF5 file, and say what it is instead where that is plain."""
    places = [0, *(512 << n for n in range(file.size.bit_length()))]
    if not any(file.start_at(place, len(_SIGNATURE)) == _SIGNATURE for place in places):
        start = file.start_at(0, 64).lstrip()
        what = next((what for begins, what in _OTHER_FILES.items() if start.startswith(begins)), "it has no signature")
        raise DamagedFileError(what if file.size else "it is empty")


def name_of(source: Any) -> str:
    """The path of a file, or what stands for it in messages."""
    if isinstance(source, (str, os.PathLike)):
        return os.fsdecode(source)
    if isinstance(source, h5py.Group):
        return f"{source.file.filename}{'' if source.name == '/' else f' (group {source.name})'}"
    if isinstance(source, (bytes, bytearray, memoryview)):
        return f"the file given as {len(source):,} bytes"
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else f"the file given as {type(source).__name__}"


@contextlib.contextmanager
def writing(target: Any) -> Iterator[Any]:
    """Open for writing; a path is replaced at the end, in one step, and is left as it is on an error.

    HDF5 writes into memory, and the finished file goes to its place from there: the HDF5 library cannot close a file
    whose disk has become full, and ends the whole process when it is asked to.

    Args:
        target: path, open `h5py.File` or `Group`, or binary file object.

    Returns:
        An `h5py.Group` to write into.

    Raises:
        OSError: no space, no such folder, no permission; it names the path.
    """
    _check_target(target)
    if isinstance(target, h5py.Group):
        yield target
        return
    is_path = isinstance(target, (str, os.PathLike))
    with _replacing(os.path.realpath(os.fspath(target))) if is_path else contextlib.nullcontext(target) as out:
        with h5py.File(secrets.token_hex(6), "w", driver="core", backing_store=False, block_size=_BLOCK) as file:
            yield file
            file.flush()
            image = file.id.get_file_image()
        out.write(image)


def _check_target(target: Any) -> None:
    """Refuse what cannot be written to, before anything is made for it."""
    if isinstance(target, (str, os.PathLike)):
        return
    if isinstance(target, h5py.Group):
        if target.file.mode == "r":
            raise ArgumentError(f"{name_of(target)} is open for reading only: open it with mode 'w', or 'a'.")
        if any(has_names(target, name) for name in ("layer_names", "model_config")) or "model_weights" in target:
            raise ArgumentError(
                f"{name_of(target)} holds a model or weights already: give a new group, or open the file with mode 'w'."
            )
    elif not hasattr(target, "write"):
        raise ArgumentError(
            f"A path, an open h5py.File or Group, or a binary file object was expected, but got "
            f"{type(target).__name__}: {target!r:.100}"
        )
    elif isinstance(target, io.TextIOBase) or (hasattr(target, "writable") and not target.writable()):
        raise ArgumentError(f"{name_of(target)} does not take bytes: open it with mode 'wb'.")


@contextlib.contextmanager
def _replacing(path: str) -> Iterator[BinaryIO]:
    """A new file in the same folder that takes the place of `path` once it is safely on the disk."""
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.{secrets.token_hex(6)}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(path):
            os.chmod(temporary, os.stat(path).st_mode & 0o7777)
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.filename in (None, temporary) and error.errno is not None:
            # The user knows the file by its own name; the temporary one is gone.
            raise type(error)(error.errno, f"{error.strerror} (nothing was changed)", path) from error
        raise
    _sync_folder(folder)


def _sync_folder(folder: str) -> None:
    """Let the new name survive a power cut too, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def ask_to_proceed_with_overwrite(filepath: Any) -> bool:
    """Ask on the terminal whether a file may be replaced.

    Args:
        filepath: path.

    Returns:
        True for yes.

    Raises:
        OverwriteError (a FileExistsError and EOFError): there is no terminal.
    """
    try:
        answer = input(f"[WARNING] {filepath} already exists - overwrite? [y/n]").strip().lower()
        while answer not in ("y", "n"):
            answer = input('Enter "y" (overwrite) or "n" (cancel).').strip().lower()
    except EOFError:
        raise OverwriteError(
            f"{filepath} already exists, and there is nobody to ask whether it may be replaced (the program has no "
            "terminal). Give overwrite=True, or another path.",
            path=os.fsdecode(filepath),
        ) from None
    if answer == "n":
        return False
    print("[TIP] Next time specify overwrite=True!")
    return True


def may_write(target: Any, overwrite: bool) -> bool:
    """Whether a file may be written: it does not exist, may be overwritten, or the user agrees."""
    is_path = isinstance(target, (str, os.PathLike))
    return overwrite or not is_path or not os.path.isfile(target) or ask_to_proceed_with_overwrite(target)

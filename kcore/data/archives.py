"""Archives (tar, also compressed; zip), unpacked so that nothing is written outside their folder.

Only directories and plain files are made. A link inside an archive becomes a copy of the member that it
names; a link to anything else, a device, an absolute path or one with `..` is refused, before anything has
got its name. What is unpacked appears complete or not at all: it is written aside, then moved.
"""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, Any

from kcore.errors import ArchiveError

Member = tuple[str, Callable[[], IO[bytes] | None]]  # a path, and how its content is read: None for a directory


def extract(path: str | os.PathLike[str], folder: str | os.PathLike[str] = ".", archive_format: Any = "auto") -> bool:
    """Unpacks an archive.

    Args:
        path: the archive.
        folder: where its members go; files there of the same names are replaced.
        archive_format: 'tar' (also .tar.gz, .tar.bz2, .tar.xz), 'zip', a list of formats to try, 'auto' for
            both, or None for none.

    Returns:
        Whether the file is an archive of one of the formats. False leaves everything as it is.

    Raises:
        ArchiveError: the archive is damaged, or a member points outside the folder.
    """
    members = _opened(os.fspath(path), _formats(archive_format))
    if members is None:
        return False
    folder = os.path.realpath(folder)
    os.makedirs(folder, exist_ok=True)
    aside = tempfile.mkdtemp(prefix=".unpacking-", dir=folder)
    try:
        try:
            for name, content in members:
                _write(aside, name, content, os.fspath(path))
        except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError) as error:
            raise ArchiveError(
                f"{os.fspath(path)} cannot be unpacked: {error}. The archive is damaged or incomplete.",
                path=os.fspath(path),
            ) from error
        _move_into(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return True


def _formats(archive_format: Any) -> list[str]:
    if archive_format is None:
        return []
    formats = [archive_format] if isinstance(archive_format, str) else list(archive_format)
    formats = [known for f in formats for known in (("tar", "zip") if f == "auto" else (f,))]
    unknown = [f for f in formats if f not in ("tar", "zip")]
    if unknown:
        raise ArchiveError(f"archive_format is {archive_format!r}; expected 'auto', 'tar', 'zip', a list, or None")
    return formats


def _opened(path: str, formats: list[str]) -> Iterator[Member] | None:
    for archive_format in formats:
        if archive_format == "tar" and tarfile.is_tarfile(path):
            return _tar_members(path)
        if archive_format == "zip" and zipfile.is_zipfile(path):
            return _zip_members(path)
    return None


def _no_content() -> None:
    """What is read of a directory."""


def _tar_members(path: str) -> Iterator[Member]:
    with tarfile.open(path) as archive:
        for member in archive:
            if not (member.isdir() or member.isreg() or member.issym() or member.islnk()):
                raise ArchiveError(
                    f"{path} is refused: its member {member.name!r} is neither a file nor a directory.",
                    path=path,
                    member=member.name,
                )
            # `extractfile` answers a link with the content of the member it names, and never leaves the archive.
            yield member.name, _no_content if member.isdir() else partial(_tar_content, archive, member, path)


def _tar_content(archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> IO[bytes]:
    try:
        content = archive.extractfile(member)
    except KeyError:
        content = None
    if content is None:
        raise ArchiveError(
            f"{path} is refused: its member {member.name!r} is a link to {member.linkname!r}, which is no file of the "
            "archive.",
            path=path,
            member=member.name,
        )
    return content


def _zip_members(path: str) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if stat.S_ISLNK(member.external_attr >> 16):
                raise ArchiveError(
                    f"{path} is refused: its member {member.filename!r} is a link.", path=path, member=member.filename
                )
            yield member.filename, _no_content if member.is_dir() else partial(archive.open, member)


def _write(folder: str, name: str, content: Callable[[], IO[bytes] | None], path: str) -> None:
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if name.startswith(("/", "\\")) or ".." in parts or any(":" in part or "\0" in part for part in parts):
        raise ArchiveError(
            f"{path} is refused: its member {name!r} would be written outside the folder that it is unpacked into.",
            path=path,
            member=name,
        )
    target = os.path.join(folder, *parts)
    source = content()
    if source is None:
        os.makedirs(target, exist_ok=True)
        return
    if not parts:
        raise ArchiveError(f"{path} is refused: it has a file without a name.", path=path, member=name)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with source, open(target, "wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)


def _move_into(source: str, folder: str) -> None:
    """Moves what is in `source` into `folder`; a directory that is not there yet arrives whole."""
    for name in os.listdir(source):
        old, new = os.path.join(source, name), os.path.join(folder, name)
        if not os.path.isdir(old):
            os.replace(old, new)
        elif os.path.isdir(new) and not os.path.islink(new):
            _move_into(old, new)
        else:
            os.rename(old, new)

"""`get_file`, `cached_file`: files from the network, fetched once and kept."""

from __future__ import annotations

import os

from kcore import config
from kcore.data.archives import extract as extract_archive
from kcore.data.download import download, validate_file
from kcore.engine.progbar import Progbar
from kcore.errors import ArchiveError, ArgumentError, DownloadError


def get_file(
    fname: str | os.PathLike[str],
    origin: str,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | list[str] | None = "auto",
    cache_dir: str | os.PathLike[str] | None = None,
) -> str:
    """The path of a file, which is fetched from the network if it is not in the cache yet. Manual, section 20.6.

    The file gets its name when it is complete and has its hash. A cached file with another hash is fetched
    again, and stays where it is until that has succeeded.

    Args:
        fname: name of the file in the cache; an absolute path is taken as it is.
        origin: URL.
        untar: fetch `fname` + '.tar.gz' and unpack it; returns the path without the ending. Older form of
            `extract`.
        md5_hash: older form of `file_hash`.
        file_hash: expected sha256 or md5 hash, in hexadecimal.
        cache_subdir: folder in the cache; an absolute path is taken as it is.
        hash_algorithm: 'sha256', 'md5', or 'auto', which tells them by their length.
        extract: unpack the file, beside it, as a tar or zip archive.
        archive_format: 'auto', 'tar', 'zip', a list of them, or None for no unpacking.
        cache_dir: the cache; by default `$KCORE_HOME` or `~/.kcore`, and a temporary folder where that cannot
            be written.

    Returns:
        The path.

    Raises:
        ArgumentError (a TypeError): fname is no name, or that of a folder.
        DownloadError (an OSError): the file cannot be fetched, or is not the expected one; the message says where
            to put it by hand.
        ArchiveError (a ValueError): it cannot be unpacked safely.
    """
    if md5_hash is not None and file_hash is None:
        file_hash, hash_algorithm = md5_hash, "md5"
    folder = os.path.join(_cache_folder(cache_dir), cache_subdir)
    unpacked = os.path.join(folder, os.fspath(fname))
    path = unpacked + ".tar.gz" if untar else unpacked
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if not _is_there(path, file_hash, hash_algorithm):
        print("Downloading data from", origin)
        download(origin, path, file_hash, hash_algorithm, progress=_Bar())
    if untar:
        if not os.path.exists(unpacked) and not extract_archive(path, folder, "tar"):
            raise ArchiveError(f"{path} is not a tar archive.", path=path)
        return unpacked
    if extract:
        extract_archive(path, folder, archive_format)
    return path


def cached_file(
    fname: str | os.PathLike[str],
    origin: str,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    untar: bool = False,
) -> str:
    """The path of a published file: how data sets and applications get theirs.

    As `get_file`, but a file that is in the cache is taken as it is. What was downloaded was verified before it got
    its name; what the user put there himself (the same arrays in another compression, a copy of a mirror) is his to
    choose. So no hash, not even a wrong one, stands between a user and his file.

    Args:
        fname, origin, file_hash, cache_subdir: as in `get_file`; the hash is that of the download.
        untar: `origin` is a .tar.gz archive that holds the folder `fname`. Its path is returned.

    Returns:
        The path.

    Raises:
        DownloadError (an OSError): the file cannot be fetched, or is not the expected one; the message says which
            file to put where.
        ArchiveError (a ValueError): it cannot be unpacked safely.
    """
    if not isinstance(fname, str | os.PathLike):
        raise ArgumentError(f"path is {fname!r}; expected the name of a file in the cache, or an absolute path")
    path = os.path.join(_cache_folder(None), cache_subdir, os.fspath(fname))
    if os.path.isdir(path) and not untar:
        raise ArgumentError(f"{path} is a folder; expected a file")
    if os.path.exists(path):
        return path
    fetched = path + ".tar.gz" if untar else path
    if os.path.exists(fetched):
        file_hash = None
    try:
        return get_file(fname, origin, untar=untar, file_hash=file_hash, cache_subdir=cache_subdir)
    except DownloadError as error:
        if "is not the expected file" not in str(error):
            raise
        raise DownloadError(
            f"{error} If you trust what is there, fetch it yourself and put it at {fetched}: a file that is already "
            "there is taken as it is",
            url=origin,
            path=fetched,
        ) from error


def _cache_folder(cache_dir: str | os.PathLike[str] | None) -> str:
    if cache_dir is None:
        return str(config.writable_home())
    cache_dir = os.path.expanduser(os.fspath(cache_dir))
    os.makedirs(cache_dir, exist_ok=True)
    return cache_dir


def _is_there(path: str, file_hash: str | None, algorithm: str) -> bool:
    if not os.path.exists(path):
        return False
    if file_hash is None or validate_file(path, file_hash, algorithm):
        return True
    print(f"{path} has another hash than {file_hash}: it is incomplete or outdated and is fetched again.")
    return False


class _Bar:
    """Progress of a download as a bar of bytes."""

    def __init__(self) -> None:
        self._bar: Progbar | None = None

    def __call__(self, there: int, total: int | None) -> None:
        if self._bar is None or self._bar.target != total or there < self._bar.seen_so_far:
            self._bar = Progbar(total)
        self._bar.update(there)

"""The published Kaggle set, fetched once, checked, and listed by its hashes.

kagglehub does the transfer and goes on where a cut connection left it. The set arrives beside its
folder and is renamed into place when it is whole, so that a folder with a MANIFEST is complete.
"""

import errno
import hashlib
import logging
import os
import shutil
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Final

import requests
from tqdm import tqdm

from ml import outputs
from ml.errors import MlError
from ml.formats import HEAD, sniff

SET: Final = "masoudnickparvar/brain-tumor-mri-dataset/versions/1"
"""The version that the literature and this project's tables describe."""
COUNTS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "Training/glioma": 1321,
        "Training/meningioma": 1339,
        "Training/notumor": 1595,
        "Training/pituitary": 1457,
        "Testing/glioma": 300,
        "Testing/meningioma": 306,
        "Testing/notumor": 405,
        "Testing/pituitary": 300,
    }
)
MANIFEST: Final = "SHA256"
SPACE: Final = 500 * 2**20
"""What the archive and its files need together, in bytes."""
ATTEMPTS: Final = 20
SENTENCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "kagglehub_missing": "The package kagglehub is not installed; requirements-dev.txt has it.",
        "kaggle_offline": "Kaggle cannot be reached. Run the command again to go on where it stopped.",
        "kaggle_unauthorised": "Kaggle refuses: set KAGGLE_API_TOKEN or KAGGLE_USERNAME and KAGGLE_KEY.",
        "kaggle_not_found": "Kaggle does not have this version of the set any more.",
        "kaggle_unavailable": "Kaggle answers with an error. Run the command again later.",
        "download_corrupt": "What arrived is damaged and was deleted. Run the command again.",
        "disk_full": "The disk is full. Make room and run the command again to go on.",
        "folder_unwritable": "The folder cannot be written.",
    }
)


class DownloadError(MlError):
    """The set did not arrive whole; ``code`` says why."""

    code = "download_failed"


def download(folder: Path, counts: Mapping[str, int]) -> dict[str, int]:
    """Fetch the set into ``folder``, which is new or empty, or check the one that is there.

    Returns the number of files of each class folder. Raises DownloadError; an unfinished transfer
    stays in ``<folder>.partial`` for the next call.
    """
    if (folder / MANIFEST).is_file():
        return _check(folder)
    if folder.is_dir() and any(folder.iterdir()):
        raise DownloadError(f"{folder} holds other files.", code="folder_not_empty")
    with refusing():
        partial = folder.with_name(f"{folder.name}.partial")
        partial.mkdir(parents=True, exist_ok=True)
        _check_space(partial)
        arrived = _fetch(partial)
        found = _counted(partial, arrived, counts)
        outputs.write(arrived / MANIFEST, _manifest(arrived))
        if folder.is_dir():
            folder.rmdir()
        arrived.replace(folder)
        shutil.rmtree(partial)
    return found


def _fetch(partial: Path) -> Path:
    """The unpacked set. Tries again for as long as every attempt brings something."""
    hub = _kagglehub(partial)
    arrived = -1
    for _ in range(ATTEMPTS):
        try:
            return Path(hub.dataset_download(SET))
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
            before, arrived = arrived, _size(partial)
            if arrived <= max(before, 0):
                break
        except _damaged(hub):
            for archive in partial.rglob("*.archive"):
                archive.unlink()
            raise _failure("download_corrupt") from None
    raise _failure("kaggle_offline")


def _kagglehub(partial: Path) -> ModuleType:
    """kagglehub, told to work in ``partial`` and to speak only through its progress bar."""
    os.environ["KAGGLEHUB_CACHE"] = str(partial.resolve())
    try:
        import kagglehub
    except ImportError:
        raise _failure("kagglehub_missing") from None
    logging.getLogger("kagglehub").setLevel(logging.ERROR)
    module: ModuleType = kagglehub
    return module


def _damaged(hub: ModuleType) -> tuple[type[Exception], ...]:
    """What says that the bytes that arrived are not the archive: kagglehub's words for it and zipfile's."""
    return (hub.exceptions.DataCorruptionError, zipfile.BadZipFile, ValueError)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.archive"))


@contextmanager
def refusing() -> Iterator[None]:
    """Errors of the network and the disk with their codes."""
    try:
        yield
    except requests.RequestException as error:
        raise _failure(_code_of(error)) from None
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise _failure("disk_full" if full else "folder_unwritable") from None


def _code_of(error: requests.RequestException) -> str:
    codes: dict[int, str] = {
        HTTPStatus.UNAUTHORIZED: "kaggle_unauthorised",
        HTTPStatus.FORBIDDEN: "kaggle_unauthorised",
        HTTPStatus.NOT_FOUND: "kaggle_not_found",
    }
    return (
        "kaggle_unavailable"
        if error.response is None
        else codes.get(error.response.status_code, "kaggle_unavailable")
    )


def _failure(code: str) -> DownloadError:
    return DownloadError(SENTENCES[code], code=code)


def _check_space(folder: Path) -> None:
    if shutil.disk_usage(folder).free < SPACE:
        raise _failure("disk_full")


def _counted(partial: Path, arrived: Path, expected: Mapping[str, int]) -> dict[str, int]:
    """Images of each class folder. Where they are not those expected, all is deleted: DownloadError."""
    found = Counter(
        path.parent.relative_to(arrived).as_posix() for path in arrived.rglob("*") if _is_image(path)
    )
    wrong = [
        f"{name} {found[name]} instead of {count}" for name, count in expected.items() if found[name] != count
    ]
    if wrong:
        shutil.rmtree(partial)
        detail = f"The set is not the one expected: {', '.join(wrong)}."
        raise DownloadError(detail, code="download_incomplete")
    return {name: found[name] for name in expected}


def _is_image(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return sniff(file.read(HEAD)) is not None


def _manifest(folder: Path) -> str:
    """The hash of every file, as ``sha256sum -c`` reads them."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return "".join(
        f"{_digest(path)}  {path.relative_to(folder).as_posix()}\n"
        for path in tqdm(paths, desc="hash", unit="file", disable=None)
    )


def _check(folder: Path) -> dict[str, int]:
    """The counts of a folder whose files are what its manifest says."""
    lines = (folder / MANIFEST).read_text("utf-8").splitlines()
    counts: Counter[str] = Counter()
    for line in tqdm(lines, desc="check", unit="file", disable=None):
        digest, _, name = line.partition("  ")
        if not (folder / name).is_file() or _digest(folder / name) != digest:
            raise DownloadError(f"{name} is not what {MANIFEST} says.", code="download_altered")
        counts[name.rsplit("/", 1)[0]] += 1
    return dict(counts)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

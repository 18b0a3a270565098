"""Download of EMNIST's digits (Cohen et al. 2017, arXiv 1702.05373) from NIST."""

from __future__ import annotations

import shutil
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import platformdirs
import pooch
import requests
from tqdm import tqdm

from crnn_ctc.data.digits import SPLITS, Split, has_digits, load_digits
from crnn_ctc.errors import InputError

ARCHIVE = "emnist-gzip.zip"
SHA256 = "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e"
MIRRORS = (
    "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",
    "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/gzip.zip",
)
_FILES = tuple(
    f"emnist-digits-{split}-{what}-ubyte.gz"
    for split in SPLITS
    for what in ("images-idx3", "labels-idx1")
)
_CHUNK = 1 << 20
_TIMEOUT = 30  # seconds without data


def fetch(
    folder: Path,
    mirrors: Sequence[str] = (),
    sha256: str = SHA256,
    cache: Path | None = None,
) -> dict[Split, int]:
    """Download EMNIST's digits into ``folder``, unless they exist.

    Args:
        folder: folder of the four files.
        mirrors: URLs to try before NIST's.
        sha256: SHA-256 of the archive.
        cache: folder of the incomplete archive; the user's cache by default.

    Returns:
        The number of digits of each split.

    Raises:
        InputError: no URL provided the archive, or existing files are broken.
    """
    if not all(has_digits(folder, split) for split in SPLITS):
        cache = cache or platformdirs.user_cache_path("crnn-ctc")
        archive = _download([*mirrors, *MIRRORS], sha256, cache)
        _unpack(archive, folder)
        archive.unlink()
    return {split: len(load_digits(folder, split)) for split in SPLITS}


def _download(urls: Sequence[str], sha256: str, cache: Path) -> Path:
    reasons = []
    for url in urls:
        try:
            path = pooch.retrieve(
                url, f"sha256:{sha256}", ARCHIVE, cache, downloader=ResumingDownloader(cache)
            )
        except (requests.RequestException, ValueError) as error:
            reasons.append(f"{url}: {error}")
        except OSError as error:
            raise InputError(
                f"{cache}: cannot be written ({error.strerror}); free 600 MB"
            ) from None
        else:
            return Path(path)
    raise InputError(
        f"EMNIST could not be fetched ({'; '.join(reasons)}); "
        "try again, name another address with --mirror, or put the files into the folder yourself"
    )


class ResumingDownloader:
    """Resumable downloads for pooch (RFC 9110, section 14).

    Args:
        folder: folder of the unfinished file.
    """

    def __init__(self, folder: Path) -> None:
        self._partial = folder / f"{ARCHIVE}.part"

    def __call__(self, url: str, output_file: str, pooch_: object) -> None:
        """Download ``url`` to ``output_file``; pooch then checks its hash."""
        del pooch_
        have = self._partial.stat().st_size if self._partial.exists() else 0
        headers = {"Range": f"bytes={have}-"} if have else {}
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as answer:
            if answer.status_code != requests.codes.requested_range_not_satisfiable:
                answer.raise_for_status()
                resumed = answer.status_code == requests.codes.partial_content
                start = have if resumed else 0
                length = int(answer.headers.get("Content-Length", 0)) or None
                with (
                    self._partial.open("ab" if resumed else "wb") as file,
                    tqdm(
                        desc=url.rsplit("/", 1)[-1],
                        initial=start,
                        total=start + length if length else None,
                        unit="B",
                        unit_scale=True,
                        disable=not sys.stderr.isatty(),
                    ) as bar,
                ):
                    for chunk in answer.iter_content(_CHUNK):
                        file.write(chunk)
                        bar.update(len(chunk))
        # complete or wrong, as pooch will check; rejected content must not be resumed again
        shutil.move(self._partial, output_file)


def _unpack(archive: Path, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(archive) as content:
            members = {PurePosixPath(name).name: name for name in content.namelist()}
            for file in _FILES:
                if file not in members:
                    raise InputError(f"{archive}: holds no {file}; it is not NIST's archive")
                temporary = folder / f".{file}"
                with content.open(members[file]) as source, temporary.open("wb") as target:
                    shutil.copyfileobj(source, target)
                temporary.replace(folder / file)
    except zipfile.BadZipFile as error:
        raise InputError(f"{archive}: not a zip archive ({error}); delete it") from None
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror}); choose another folder"
        ) from None

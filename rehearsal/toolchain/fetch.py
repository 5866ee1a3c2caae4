"""Downloads of the vendors' releases: short time limits, and nothing without a checksum."""

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import requests

from rehearsal.errors import UnavailableError
from rehearsal.toolchain import sums
from rehearsal.toolchain.artifacts import Artifact, this_platform

LIMITS: Final = (5.0, 60.0)  # seconds until a host counts as out of reach, and without a byte
CHUNK: Final = 1 << 20
# Otherwise a server may declare an archive's own compression as one of the transfer, and the checksum would not match.
AS_IT_IS: Final = {"Accept-Encoding": "identity"}


class Fetcher:
    """Fetches releases and remembers for one run which hosts are out of reach, so that none is waited for twice."""

    def __init__(self) -> None:
        self._dead: set[str] = set()

    def download(self, artifact: Artifact, into: Path, say: Callable[[str, str], None]) -> None:
        """Put the files that the vendor publishes into a folder, which is of no use if that fails.

        `say` is told what is done and how far it is. Raises UnavailableError, for a wrong checksum, too.
        """
        on = this_platform()
        if not artifact.url or on.system not in artifact.systems:
            raise UnavailableError("the vendor publishes none for this machine")
        single = "{file}" in artifact.url
        for file in artifact.files if single else ("archive",):
            url, checksum = (artifact.filled(one, on, file) for one in (artifact.url, artifact.checksum))
            self._fetch(url, checksum, into / file, say)
        if not single:
            _extract(into / "archive", artifact.filled(artifact.folder, on), artifact.files, into)

    def _fetch(self, url: str, checksum: str, file: Path, say: Callable[[str, str], None]) -> None:
        """Write what an address serves to a file, if it is what the pinned checksum says, else the published one."""
        pinned = sums.SHA256.get(url)
        if not pinned and not checksum:
            raise UnavailableError(f"nobody vouches for {url}: no checksum is pinned, and the vendor publishes none")
        expected = pinned or self._published(checksum, url.rpartition("/")[2])
        digest = hashlib.sha256()
        with self._get(url) as response, file.open("wb") as out:
            total = int(response.headers.get("Content-Length") or 0) // CHUNK
            for chunk in response.iter_content(CHUNK):
                out.write(chunk)
                digest.update(chunk)
                got = f"{out.tell() // CHUNK} of {total}" if total else f"{out.tell() // CHUNK}"
                say("downloading the vendor's release", f"{got} MB")
        if digest.hexdigest() != expected:
            kind = "pinned" if pinned else "published"
            raise UnavailableError(f"the checksum of {url} is not the {kind} one; the file is not used")

    def _published(self, checksum: str, name: str) -> str:
        """Return a file's published checksum in hexadecimal; a list that lacks the file is as good as none at all."""
        with self._get(checksum) as response:
            text = response.text
        for line in text.splitlines():
            words = line.split()
            if len(words) == 1 or words[-1:] == [name]:
                return words[0].lower()
        raise UnavailableError(f"{checksum} has no checksum of {name}")

    @contextmanager
    def _get(self, url: str) -> Iterator[requests.Response]:
        """Give the response for the time of the `with`; a host that does not answer is not asked again."""
        host = urlsplit(url).netloc
        if host in self._dead:
            raise UnavailableError(f"{host} cannot be reached")
        try:
            with requests.get(url, headers=AS_IT_IS, stream=True, timeout=LIMITS) as response:
                response.raise_for_status()
                yield response
        except (requests.ConnectionError, requests.Timeout):
            self._dead.add(host)
            raise UnavailableError(f"{host} cannot be reached") from None
        except requests.RequestException as error:
            raise UnavailableError(str(error)) from None


def _extract(archive: Path, folder: str, files: tuple[str, ...], into: Path) -> None:
    """Take the files behind a prefix out of a tar archive.

    Only what is asked for is unpacked, and with Python's "data" filter: nothing outside the folder, no devices, no
    links that lead away. It exists from Python 3.11.4 on; on an older one the archive is not unpacked at all.
    """
    if not hasattr(tarfile, "data_filter"):
        raise UnavailableError("this Python cannot unpack archives safely (3.11.4 or newer can)")
    try:
        with tarfile.open(archive) as opened:
            for member in opened:
                name = member.name.removeprefix("./")
                inside = name.removeprefix(folder)
                if name.startswith(folder) and inside.partition("/")[0] in files:
                    opened.extract(member.replace(name=inside), into, filter="data")
    except (tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError) as error:
        raise UnavailableError(f"the vendor's archive does not hold what it should ({error})") from None

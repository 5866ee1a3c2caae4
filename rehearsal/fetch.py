"""Downloads of the vendors' releases: short time limits, checksums where there are any, nothing half-made kept."""

import hashlib
import tarfile
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import requests

from rehearsal.pieces import Download

CONNECT: Final = 5.0  # seconds until a host counts as out of reach
READ: Final = 60.0  # seconds without a byte
CHUNK: Final = 1 << 20
# Otherwise a server may declare an archive's own compression as one of the transfer, and the checksum would not match.
AS_IT_IS: Final = {"Accept-Encoding": "identity"}


class UnavailableError(Exception):
    """A way of getting a piece that does not work here; the message says why, in a few words."""


class ChecksumError(UnavailableError):
    """The vendor's checksum is not that of the file: worth telling, unlike any other UnavailableError."""


class Fetcher:
    """Fetches files and remembers for one run which hosts are out of reach, so that none is waited for twice."""

    def __init__(self, urls: Iterable[str] = (), connect: float = CONNECT) -> None:
        """`urls` may all be wanted: with the first download, all their hosts are asked whether they are there."""
        self._urls = tuple(urls)
        self._connect = connect
        self._reachable: dict[str, bool] = {}

    def _look(self, urls: Iterable[str]) -> None:
        """Ask all hosts of these addresses at once whether they are there; takes the connect limit at most.

        In threads of their own, because a slow name server or a host with many addresses would otherwise cost a
        multiple of the limit. An answer of any status counts.
        """

        def ask(host: str) -> None:
            try:
                requests.head(host, timeout=self._connect, allow_redirects=False)
                self._reachable.setdefault(host, True)
            except (requests.RequestException, OSError):
                self._reachable.setdefault(host, False)

        hosts = {_host(url) for url in urls if url} - self._reachable.keys()
        threads = [threading.Thread(target=ask, args=(host,), daemon=True) for host in sorted(hosts)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + self._connect
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for host in hosts:
            self._reachable.setdefault(host, False)

    def download(self, what: Download, into: Path, scratch: Path, tick: Callable[[str], None]) -> None:
        """Fetch one file, check it and put what it holds into the folder `into`; `scratch` is for files on the way.

        `tick` is called with the progress. Raises UnavailableError, and ChecksumError in particular.
        """
        self._look([*self._urls, what.url, what.checksum])
        expected = self._checksum(what) if what.checksum else ""
        scratch.mkdir(parents=True, exist_ok=True)
        file = scratch / "download"
        self._stream(what.url, file, tick)
        if expected and _digest(file, "sha512" if len(expected) == 128 else "sha256") != expected:
            file.unlink()
            raise ChecksumError(f"the checksum of {what.url} is not the published one; the file is not used")
        if what.members:
            _extract(file, what.members, into, scratch / "extracted")
        else:
            file.rename(into / what.name)

    def _get(self, url: str) -> requests.Response:
        """Return the response, or raise UnavailableError; a host that does not answer is not asked again."""
        host = _host(url)
        if not self._reachable.get(host, True):
            raise UnavailableError(f"{urlsplit(url).netloc} cannot be reached")
        try:
            response = requests.get(url, headers=AS_IT_IS, stream=True, timeout=(self._connect, READ))
        except (requests.ConnectionError, requests.Timeout):
            self._reachable[host] = False
            raise UnavailableError(f"{urlsplit(url).netloc} cannot be reached") from None
        except requests.RequestException as error:
            raise UnavailableError(f"{url}: {type(error).__name__}") from None
        if response.status_code != requests.codes.ok:
            response.close()
            raise UnavailableError(f"{url} answers {response.status_code}")
        return response

    def _checksum(self, what: Download) -> str:
        """Return the published checksum in hexadecimal; a list that lacks the file is as good as none at all."""
        try:
            with self._get(what.checksum) as response:
                text = response.text
        except requests.RequestException as error:
            raise UnavailableError(f"{what.checksum}: {type(error).__name__}") from None
        wanted = urlsplit(what.url).path.rpartition("/")[2]
        for line in text.splitlines():
            words = line.split()
            if words and _is_digest(words[0]) and (len(words) == 1 or words[-1].lstrip("*") == wanted):
                return words[0].lower()
        raise UnavailableError(f"{what.checksum} has no checksum of {wanted}")

    def _stream(self, url: str, file: Path, tick: Callable[[str], None]) -> None:
        """Write what an address serves to a file."""
        got = 0
        try:
            with self._get(url) as response, file.open("wb") as out:
                total = int(response.headers.get("Content-Length") or 0) // CHUNK
                for chunk in response.iter_content(CHUNK):
                    out.write(chunk)
                    got += len(chunk)
                    tick(f"{got // CHUNK} of {total} MB" if total else f"{got // CHUNK} MB")
        except requests.RequestException as error:
            raise UnavailableError(f"{url}: {type(error).__name__}") from None


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/"


def _is_digest(word: str) -> bool:
    return len(word) in (64, 128) and all(character in "0123456789abcdefABCDEF" for character in word)


def _digest(file: Path, algorithm: str) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, algorithm).hexdigest()


def _extract(archive: Path, members: tuple[tuple[str, str], ...], into: Path, scratch: Path) -> None:
    """Take files or folders out of a tar archive and put them under their new names.

    Only what is asked for is unpacked, and with Python's "data" filter: nothing outside the folder, no devices, no
    links that lead away. It exists from Python 3.11.4 on; on an older one the archive is not unpacked at all.
    """
    if not hasattr(tarfile, "data_filter"):
        raise UnavailableError("this Python cannot unpack archives safely (3.11.4 or newer can)")
    try:
        with tarfile.open(archive) as opened:
            for source, target in members:
                chosen = [m for m in opened.getmembers() if f"{m.name.removeprefix('./')}/".startswith(f"{source}/")]
                opened.extractall(scratch, members=chosen, filter="data")
                (scratch / source).rename(into / target)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise UnavailableError(f"{archive.name} does not hold what it should ({error})") from None

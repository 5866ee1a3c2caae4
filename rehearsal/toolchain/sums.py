"""The SHA-256 sums of vendors' releases, pinned: a download from one of these addresses that has another is not used.

A sum is here when it is the vendor's own or two sources that do not know each other agree on it. Where none is here,
the vendor's list of sums is asked in the same run; where the vendor has no list either, nothing is downloaded
(`fetch.py`). A new version in `versions.py` wants new addresses here; a test finds those that nobody asks for.
"""

from typing import Final

_KWOK: Final = "https://github.com/kubernetes-sigs/kwok/releases/download/v0.8.0"

SHA256: Final = {
    # The package kwok-bin of Arch Linux's users and others' build scripts.
    f"{_KWOK}/kwok-linux-amd64": "f5a4385a2ae1b9dd7f8acae18e002a75c0ebba124ae9d7259aa8dadb50711f46",
    f"{_KWOK}/kwokctl-linux-amd64": "d5743166c657283d6e827c7c4c20cacfd9009fd94830f06718ca7b2c7099461f",
    # Build scripts of many projects.
    "https://github.com/etcd-io/etcd/releases/download/v3.6.14/etcd-v3.6.14-linux-amd64.tar.gz": (
        "ffe840ff9295808e88cce2794a18a5ac87f12a5203c8314d0bf6aa119b41bac5"
    ),
}

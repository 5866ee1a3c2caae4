"""Every version of the rehearsal's programs, each with the place to look for the next one.

Plain constants, no imports. `pyproject.toml` and the `go.mod` files below `go/` must name the same versions;
`tests/unit/rehearsal/test_versions.py` compares them. The chart's version is pinned in `config/chart.py`.
"""

from typing import Final

# --- Pulumi -----------------------------------------------------------------------------------------------------
# Next: https://github.com/pulumi/pulumi/releases, but only a version that is also served as Go modules.
PULUMI: Final = "3.259.0"
# The last line in which the Python language host was part of sdk/v3; it serves newer CLIs.
PULUMI_LANGUAGE_PYTHON: Final = "3.79.0"
# Next: https://github.com/pulumi/pulumi-kubernetes/releases; the Go pseudo-version must be that release's commit.
PULUMI_KUBERNETES: Final = "4.25.0"
PULUMI_KUBERNETES_MODULE: Final = "v4.0.0-20260115033456-f47bc2d6f199"
# Next: https://github.com/pulumi/pulumi-random/releases; what it bridges, `go/go.mod` pins.
PULUMI_RANDOM: Final = "4.21.4"

# --- the throwaway cluster --------------------------------------------------------------------------------------
# Next: https://kubernetes.io/releases/
KUBERNETES: Final = "1.36.4"
# Next: https://github.com/etcd-io/etcd/releases (the line that the Kubernetes release names as its own)
ETCD: Final = "3.6.14"
# Next: https://github.com/kubernetes-sigs/kwok/releases
KWOK: Final = "0.8.0"

# --- beside -----------------------------------------------------------------------------------------------------
# Go for machines that have none that fits; the cluster's modules want at least GO_MINIMUM. Next: https://go.dev/dl/
GO: Final = "1.26.6"
GO_MINIMUM: Final = "1.26.0"

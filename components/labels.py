"""The label on every object that the program makes itself (Helm labels its own)."""

from typing import Final

# The field's own label (kubernetes.io, "Recommended Labels"); `kubectl get -l` finds our objects by it.
OWN: Final = {"app.kubernetes.io/managed-by": "pulumi"}

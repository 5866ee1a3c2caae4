"""Stand-in for the hub's configuration: hands `hub.config` of the chart's values to traitlets."""

from pathlib import Path

import yaml

values = yaml.safe_load(Path("/usr/local/etc/jupyterhub/secret/values.yaml").read_text())
for cls, traits in values["hub"]["config"].items():
    c[cls].update(traits)  # noqa: F821  (traitlets defines c)

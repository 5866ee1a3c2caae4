"""Stand-in for the application's configuration: hands `config` of the chart's values to traitlets."""

from pathlib import Path

import yaml

values = yaml.safe_load((Path(__file__).parent / "values.yaml").read_text())
for cls, traits in values["config"].items():
    c[cls].update(traits)  # noqa: F821  (traitlets defines c)
for _, snippet in sorted(values["extraConfig"].items()):
    exec(snippet)

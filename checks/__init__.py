"""Questions about a stack in use, asked without changing anything: `python -m checks`."""

"""What an operator runs against a stack in use: `python -m operations --help`."""

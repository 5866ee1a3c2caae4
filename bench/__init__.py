"""What the check in previews costs: `python -m bench`."""

"""What the commands for a stack in use (`python -m recovery`, `python -m checks`) share."""

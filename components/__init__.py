"""The parts of a BinderHub: one module each, composed by `__main__.py`."""

"""Retrieval-augmented generation from the shell."""

__version__ = "0.1.0"

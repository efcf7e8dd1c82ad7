"""How the reader of the package was made."""

"""How the models of the package were made."""

"""How the small GPT-2 of the package was made."""

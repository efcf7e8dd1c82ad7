"""The recipe of the weights by which answers are chosen, and of their confidence."""

"""Measure what retrieval, answers and models are worth, compare two measurements, and stop where one got worse."""

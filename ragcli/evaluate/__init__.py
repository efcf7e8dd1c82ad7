"""Measure retrieval, answers and models, compare measurements, and gate on limits."""

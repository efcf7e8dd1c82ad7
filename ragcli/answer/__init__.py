"""Answers, reviews, summaries and conversations from retrieved passages."""

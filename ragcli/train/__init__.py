"""Training GPT-2 on one's own texts: data, vocabulary, the loop, checkpoints."""

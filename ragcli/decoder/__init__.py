"""Run language models: families with a graph here on ONNX Runtime, all others on transformers."""

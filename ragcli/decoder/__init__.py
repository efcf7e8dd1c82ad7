"""Run language models: on ONNX Runtime the families that have a graph here, all others by transformers."""

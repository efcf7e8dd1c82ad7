"""What all tests share."""

pytest_plugins = ["tests.elastic.fixtures", "tests.support", "tests.tiny_gpt2", "tests.gguf", "tests.openai_server"]

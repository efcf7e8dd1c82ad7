"""What all tests share."""

pytest_plugins = ["tests.elastic.fixtures", "tests.support"]

"""A cluster of three nodes that loses some while it is written. Takes minutes: RAGCLI_TEST_SLOW=1."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ragcli.store import IndexLocation, open_store
from tests.elastic.cluster import Node, running_cluster
from tests.support import Result, assert_two_lines, command, environment, run_process, write_lines

DOCUMENTS = int(os.environ.get("RAGCLI_TEST_SLOW_DOCUMENTS", "100000"))
KILLED_AFTER = 6.0  # seconds

pytestmark = pytest.mark.skipif(not os.environ.get("RAGCLI_TEST_SLOW"), reason="RAGCLI_TEST_SLOW is not set")


@pytest.fixture
def nodes() -> Iterator[list[Node]]:
    """Yield three nodes."""
    with running_cluster() as nodes:
        yield nodes


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """Write documents of one passage."""
    return write_lines(tmp_path / "d.jsonl", *({"id": f"d{n}", "text": f"Owl {n} sleeps."} for n in range(DOCUMENTS)))


def start(documents: Path, nodes: list[Node], index: str) -> subprocess.Popen[bytes]:
    """Begin to index in a process of its own."""
    at = ["--store", ",".join(node.url for node in nodes), "--index", index, "--shards", "3", "--replicas", "1"]
    words = command("index", documents, *at, "--language", "en", "--format", "json")
    return subprocess.Popen(words, env=environment({}), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def ended(process: subprocess.Popen[bytes]) -> Result:
    out, err = process.communicate(timeout=900)
    return Result(process.returncode, out.decode(), err.decode())


def test_one_dead_node_loses_nothing(nodes: list[Node], documents: Path) -> None:
    began = time.monotonic()
    assert ended(start(documents, nodes, "undisturbed")).code == 0
    undisturbed = time.monotonic() - began
    began = time.monotonic()
    process = start(documents, nodes, "disturbed")
    time.sleep(KILLED_AFTER)
    assert process.poll() is None
    nodes[0].kill()
    result = ended(process)
    disturbed = time.monotonic() - began
    print(f"undisturbed {undisturbed:.1f} s, with a node killed {disturbed:.1f} s")
    assert (result.code, result.summary()["added"], result.summary()["documents"]) == (0, DOCUMENTS, DOCUMENTS), result
    with open_store(IndexLocation(nodes[1].url, "disturbed", Path())) as store:
        assert sum(1 for one in store.stored() if one.hash) == DOCUMENTS
    assert disturbed < 3 * undisturbed + 10


def test_frozen_nodes_are_told_and_a_rerun_completes(nodes: list[Node], documents: Path) -> None:
    process = start(documents, nodes, "frozen")
    time.sleep(KILLED_AFTER)
    assert process.poll() is None
    for node in nodes[1:]:
        node.freeze()
    began = time.monotonic()
    result = ended(process)
    print(f"writes: told after {time.monotonic() - began:.1f} s: {result.err}")
    assert_two_lines(result, 5, "http")
    assert time.monotonic() - began < 16  # with the start of a request that is answered
    at = ["--store", ",".join(node.url for node in nodes), "--index", "frozen"]
    began = time.monotonic()
    read = run_process("search", "owl", *at)
    print(f"reads: told after {time.monotonic() - began:.1f} s: {read.err}")
    assert_two_lines(read, 5, "http")
    assert time.monotonic() - began < 30
    for node in nodes[1:]:
        node.kill()
        node.start_again()
    again = ended(start(documents, nodes, "frozen"))
    assert (again.code, again.summary()["documents"]) == (0, DOCUMENTS), again


def test_without_a_quorum_that_is_told_and_a_rerun_completes(nodes: list[Node], documents: Path) -> None:
    process = start(documents, nodes, "quorum")
    time.sleep(KILLED_AFTER)
    assert process.poll() is None
    for node in nodes[1:]:
        node.kill()
    began = time.monotonic()
    result = ended(process)
    seconds = time.monotonic() - began
    print(f"told after {seconds:.1f} s: {result.err}")
    assert_two_lines(result, 5, "not ready")
    assert seconds < 15
    for node in nodes[1:]:
        node.start_again()
    again = ended(start(documents, nodes, "quorum"))
    assert (again.code, again.summary()["documents"]) == (0, DOCUMENTS), again
    with open_store(IndexLocation(nodes[0].url, "quorum", Path())) as store:
        assert sum(1 for one in store.stored() if one.hash) == DOCUMENTS

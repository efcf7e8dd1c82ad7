"""The approximate search of the embedded store: what it finds, when it is used; its file after damage and kills."""

import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ragcli.contents import verify
from ragcli.filters import Filter
from ragcli.store import LOCAL, EncoderConfig, IndexConfig, IndexLocation, Store, open_store
from ragcli.store_local import codes, vectors
from ragcli.store_local.codes import extend_codes, read_codes
from ragcli.store_local.vectors import VectorFile, create
from tests.benchmarks.hnsw_recall import Matrix, clustered, updates
from tests.support import ROOT
from tests.test_store_contract import remove

MANY, DIMENSION = 3_000, 72  # a dimension that fills no whole words
CONFIG = IndexConfig("en", 100, EncoderConfig("a model", "0", DIMENSION, "mean"))
MATRIX, QUERIES = clustered(MANY, DIMENSION, 30)


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Search by codes from 1,000 rows on, with few candidates, in small blocks."""
    monkeypatch.setattr(vectors, "_MANY", 1_000)
    monkeypatch.setattr(vectors, "_CANDIDATES", 150)
    monkeypatch.setattr(vectors, "_DEEP", 8)
    monkeypatch.setattr(codes, "_ROWS", 256)


@pytest.fixture
def location(tmp_path: Path) -> IndexLocation:
    """Make an index of clustered vectors."""
    location = IndexLocation(LOCAL, "codes", tmp_path)
    with open_store(location, CONFIG) as store:
        store.write(updates(MATRIX))
    return location


@pytest.fixture
def file(location: IndexLocation) -> Path:
    """Name the file of its codes."""
    return location.folder / location.name / "codes.bin"


def found(store: Store, k: int, candidates: int | None = None) -> list[list[str]]:
    """Return the ids that each query finds."""
    return [[hit.id for hit in store.nearest(query, k, candidates=candidates)] for query in QUERIES]


def nearest(k: int, matrix: Matrix = MATRIX) -> list[list[str]]:
    """Return the ids of the nearest vectors by brute force."""
    return [list(map(str, row)) for row in np.argsort(-(QUERIES.astype(np.float64) @ matrix.T), axis=1)[:, :k].tolist()]


def recall(some: Sequence[Sequence[str]], right: Sequence[Sequence[str]]) -> float:
    """Return the share of the right ids that are found."""
    return float(np.mean([len({*a} & {*b}) / len(b) for a, b in zip(some, right, strict=True)]))


def test_nearly_all_of_the_nearest_are_found_with_their_cosines(location: IndexLocation) -> None:
    with open_store(location) as store:
        assert 0.95 <= recall(found(store, 10), nearest(10)) < 1  # or else all rows were compared
        for query in QUERIES:
            for hit in store.nearest(query, 10):
                assert hit.score == pytest.approx(float(MATRIX[int(hit.id)] @ query), abs=1e-6)


def test_candidates_make_it_exact(location: IndexLocation) -> None:
    with open_store(location) as store:
        assert found(store, 10, MANY) == nearest(10)


def test_few_rows_filters_and_many_hits_are_exact(location: IndexLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store(location) as store:
        assert found(store, 2_000) == nearest(2_000)
        for query, right in zip(QUERIES, nearest(MANY), strict=True):
            hits = store.nearest(query, 10, [Filter("id", "<", "2")])  # less than half, in the order of text
            assert [hit.id for hit in hits] == [doc_id for doc_id in right if doc_id < "2"][:10]
        monkeypatch.setattr(vectors, "_MANY", MANY + 1)
        assert found(store, 10) == nearest(10)


def test_all_batches_hold_each_row_once(location: IndexLocation) -> None:
    file = VectorFile(location.folder / location.name / "vectors.bin", DIMENSION)
    for query in QUERIES[:5]:
        batches = [batch.cosines for batch in file.ranking(query, 20)]
        assert sum(map(len, batches)) == len({key for batch in batches for key in batch}) == MANY
        assert len(batches[0]) < 30


def test_equal_codes_are_examined_together(tmp_path: Path) -> None:
    """More copies of a vector than are examined otherwise are not cut at random."""
    matrix = np.concatenate([MATRIX[1:], np.repeat(MATRIX[:1], 700, axis=0)])
    copies = sorted(map(str, range(MANY - 1, MANY + 699)))
    with open_store(IndexLocation(LOCAL, "same", tmp_path), CONFIG) as store:
        store.write(updates(matrix))
        assert [hit.id for hit in store.nearest(MATRIX[0], 10)] == copies[:10]


def test_an_index_without_codes_gets_them_with_the_next_change(location: IndexLocation, file: Path) -> None:
    """As one that was written before there were codes, whose file of vectors has no identity."""
    file.unlink()
    of_vectors = file.with_name("vectors.bin")
    with of_vectors.open("rb+") as target:
        target.seek(20)
        target.write(bytes(8))
    with open_store(location) as store:
        assert found(store, 10) == nearest(10)
        remove(store, "0")
    assert file.read_bytes()[20:28] == of_vectors.read_bytes()[20:28] != bytes(8)
    with open_store(location) as store:
        assert recall(found(store, 10), nearest(10)) < 1
        assert list(verify(store)) == []


@pytest.mark.parametrize("left", [0, 10, 28, 64, 1_000, -1])
def test_a_file_that_is_cut_is_not_used_and_made_again(location: IndexLocation, file: Path, left: int) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[:left])
    with open_store(location) as store:
        assert found(store, 10) == nearest(10)
        store.write([])
        remove(store, "0")
    assert file.read_bytes() == whole


def test_codes_of_another_file_are_not_used(location: IndexLocation, file: Path, tmp_path: Path) -> None:
    other = IndexLocation(LOCAL, "other", tmp_path)
    with open_store(other, CONFIG) as store:
        store.write(updates(MATRIX[::-1]))
    file.write_bytes((other.folder / "other" / "codes.bin").read_bytes())
    with open_store(location) as store:
        assert found(store, 10) == nearest(10)


def test_wrong_codes_are_told(location: IndexLocation, file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[64] ^= 1
    file.write_bytes(content)
    with open_store(location) as store:
        assert list(verify(store)) == [
            "codes.bin: 1 code is not that of its vector; without the file, the next run of index makes it again"
        ]


def test_added_rows_get_codes_and_are_found_before(location: IndexLocation, tmp_path: Path) -> None:
    """Whether they came in one run or in several, at the border of a block or not."""
    path = tmp_path / "codes.bin"
    for count in (1, 255, 256, 257, 1_000, MANY):
        extend_codes(path, 7, MATRIX[:count])
        assert read_codes(path, DIMENSION, 7).rows == count
        assert read_codes(path, DIMENSION, 7).differing(MATRIX) == 0
    assert read_codes(path, DIMENSION, 8).rows == 0
    [distances] = [read_codes(path, DIMENSION, 7).distances(QUERIES[0])]
    assert distances.tolist() == ((MATRIX > 0) != (QUERIES[0] > 0)).sum(axis=1).tolist()


def test_rows_without_codes_are_candidates(tmp_path: Path) -> None:
    path = tmp_path / "vectors.bin"
    create(path, DIMENSION)
    file = VectorFile(path, DIMENSION)
    file.begin()
    file.add(range(2_900), MATRIX[:2_900])
    file.commit()
    file.encode()
    file.add(range(2_900, MANY), MATRIX[2_900:])
    for row in range(2_900, MANY):
        assert row in next(file.ranking(MATRIX[row], 1)).cosines
    assert read_codes(tmp_path / "codes.bin", DIMENSION, file._identity).rows == 2_900
    file.end()


def test_codes_of_rows_that_another_process_adds_are_left_out(tmp_path: Path) -> None:
    create(tmp_path / "vectors.bin", DIMENSION)
    writer = VectorFile(tmp_path / "vectors.bin", DIMENSION)
    writer.begin()
    writer.add(range(MANY), MATRIX)
    writer.commit()
    reader = VectorFile(tmp_path / "vectors.bin", DIMENSION)
    writer.add(range(MANY, 2 * MANY), -MATRIX)
    writer.commit()
    writer.encode()
    writer.end()
    assert set(next(reader.ranking(-MATRIX[0], 10)).cosines) < set(range(MANY))


def test_rows_that_go_take_their_codes_along(location: IndexLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ragcli.store_local._SPARE_ROWS", 0)
    with open_store(location) as reader, open_store(location) as store:
        before = found(reader, 10)
        remove(store, *map(str, range(0, MANY, 2)), *map(str, range(1, 100, 2)))
        assert found(reader, 10) == before
        left = MATRIX.copy()
        left[::2] = left[:100] = 0
        assert recall(found(store, 10), nearest(10, left)) >= 0.95
        assert list(verify(store)) == []


# Adds documents in many runs, and removes most of them from time to time, for ever.
ENDLESS = """
import sys
from itertools import count
from pathlib import Path
from ragcli import store_local
from ragcli.store import IndexLocation, open_store
from ragcli.store_local import codes, vectors
from tests.test_codes import CONFIG, MATRIX
from tests.test_store_contract import remove
from tests.benchmarks.hnsw_recall import updates
vectors._MANY, codes._ROWS, store_local._SPARE_ROWS = 100, 256, 0
with open_store(IndexLocation("local", "codes", Path(sys.argv[1])), CONFIG) as store:
    for _ in count():
        stored = {old.doc_id for old in store.stored()}
        missing = [new for new in updates(MATRIX[:1_000]) if new.doc_id not in stored]
        for start in range(0, 1_000, 50):
            store.write(missing[start : start + 50])
            print("written", flush=True)
        remove(store, *map(str, range(800)))
        print("removed", flush=True)
"""


def test_a_killed_run_leaves_right_codes(tmp_path: Path) -> None:
    chance = random.Random(3)
    for _ in range(8):
        command = [sys.executable, "-c", ENDLESS, str(tmp_path)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
            assert process.stdout
            for _ in range(chance.randrange(1, 25)):
                process.stdout.readline()
            time.sleep(chance.random() / 10)
            process.kill()
        with open_store(IndexLocation(LOCAL, "codes", tmp_path)) as store:
            assert list(verify(store)) == []
            for old in list(store.stored())[::50]:
                assert store.nearest(MATRIX[int(old.doc_id)], 1)[0].id == old.doc_id

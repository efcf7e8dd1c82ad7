"""Flipped bits of an embedded index: what is shown is what was written, or an error says that it is not."""

import random
import zlib
from pathlib import Path

import orjson
import pytest

from ragcli.contents import verify
from ragcli.errors import IndexMismatchError
from ragcli.store import LOCAL, IndexConfig, IndexLocation, QueryClause, open_store
from ragcli.store_local import damage
from tests.support import Run, assert_two_lines
from tests.test_store_contract import document, put
from tests.test_store_vectors import CONFIG, encoded

WORDS = [QueryClause("owl")]


@pytest.fixture
def location(tmp_path: Path) -> IndexLocation:
    """Name an index that holds fifty documents with the word `owl`."""
    where = IndexLocation(LOCAL, "knowledge_base", tmp_path / "home")
    with open_store(where, IndexConfig("en", 1200)) as store:
        chance = random.Random(0)
        put(store, *(document(f"d{n}", f"Owl {[chance.random() for _ in range(20)]}.") for n in range(50)))
    return where


def files(location: IndexLocation, suffix: str) -> list[Path]:
    return sorted((location.home / "indexes" / location.name / "text").glob(f"*{suffix}"))


def flip(path: Path, chance: random.Random, signed: bool = False) -> None:
    """Flip a bit before the footer; `signed` writes the checksum that belongs to it, as a damage before it was made."""
    content = bytearray(path.read_bytes())
    body = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    content[chance.randrange(body)] ^= 1 << chance.randrange(8)
    if signed:
        footer = orjson.loads(content[body:-8])
        content = content[:body] + orjson.dumps({**footer, "crc": zlib.crc32(content[:body])})
        content += (len(content) - body).to_bytes(4, "little") + path.read_bytes()[-4:]
    rewrite(path, bytes(content))


def rewrite(path: Path, content: bytes) -> None:
    """Write a file that may be mapped: who has mapped it keeps what it was."""
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize("suffix", [".store", ".fieldnorm", ".idx", ".term"])
def test_a_flipped_bit_is_told_by_a_search(location: IndexLocation, suffix: str, ragcli: Run) -> None:
    for path in files(location, suffix):
        flip(path, random.Random(1))
    assert_two_lines(ragcli("search", "owl"), 1, "is damaged", "--rebuild")


def test_no_other_text_is_shown_where_files_are_not_checked(location: IndexLocation) -> None:
    """As in an index that is too large for that: each text has a checksum of its own."""
    paths = files(location, ".store")
    with open_store(location) as store:
        whole = {hit.id: hit.text for hit in store.search(WORDS, 50)}
    contents = [path.read_bytes() for path in paths]
    told = 0
    for number in range(40):
        for path, content in zip(paths, contents, strict=True):
            rewrite(path, content)
        flip(paths[number % len(paths)], random.Random(number), signed=True)
        try:
            with open_store(location) as store:
                shown = {hit.id: hit.text for hit in store.search(WORDS, 50)}
        except IndexMismatchError:
            told += 1
        else:
            assert shown == whole, number
    assert told


def test_small_files_are_checked_first(location: IndexLocation) -> None:
    norms = files(location, ".fieldnorm")
    largest = max(path.stat().st_size for path in norms)
    folder = norms[0].parent
    most = sum(path.stat().st_size for path in damage._files(folder) if path.stat().st_size <= largest)
    for path in files(location, ".store"):
        if path.stat().st_size > largest:
            flip(path, random.Random(1))
    damage.check_sums(folder, most)
    with pytest.raises(ValueError, match="store is damaged"):
        damage.check_sums(folder)
    flip(norms[0], random.Random(1))
    with pytest.raises(ValueError, match="fieldnorm is damaged"):
        damage.check_sums(folder, most)


def test_a_sound_index_is_verified(location: IndexLocation) -> None:
    with open_store(location) as store:
        assert list(verify(store)) == []
        path = files(location, ".store")[0]
        flip(path, random.Random(1))
        assert list(verify(store)) == [f"{path.name} is damaged"]


def test_lost_vectors_are_told(tmp_path: Path) -> None:
    location = IndexLocation(LOCAL, "vectors", tmp_path)
    with open_store(location, CONFIG) as store:
        store.write(encoded(document(f"d{n}", f"Text {n}.")) for n in range(10))
    path = tmp_path / "indexes" / "vectors" / "vectors.bin"
    content = bytearray(path.read_bytes())
    content[64] ^= 1  # a key
    content[-1] ^= 64  # the highest bit of an exponent
    rewrite(path, bytes(content))
    with open_store(location) as store:
        assert list(verify(store)) == [
            "vectors.bin: 1 passage has no vector",
            "vectors.bin: 1 vector is not of length 1",
        ]

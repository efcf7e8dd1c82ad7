"""Kill `index` at random moments while it adds, updates and prunes with vectors; compare each rerun with an oracle.

Run: python -m tests.benchmarks.kills [kills] [seed]
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ragcli.contents import read_document, verify
from ragcli.store import LOCAL, IndexLocation, open_store
from tests.support import environment
from tests.tiny_encoders import write_encoder

# With a commit for every twentieth document instead of every hundred thousandth.
PROGRAM = "import sys; from ragcli import cli, store_local; store_local._COMMIT_EVERY = 20; sys.exit(cli.main())"
DOCUMENTS = 400


def changed(texts: dict[str, str], chance: random.Random) -> dict[str, str]:
    """Remove, change and add documents; some changes are small, some of nearly all."""
    share = chance.choice([0.02, 0.2, 0.9])
    kept = {doc_id: text for doc_id, text in texts.items() if chance.random() > share / 2}
    wanted = {doc_id for doc_id in kept if chance.random() < share}
    wanted |= {f"d{chance.randrange(10**9)}" for _ in range(DOCUMENTS - len(kept))}
    return kept | {doc_id: f"Owl {chance.random()} says. " * chance.randint(1, 100) for doc_id in wanted}


def start(path: Path, encoder: Path) -> subprocess.Popen[bytes]:
    words = [
        sys.executable,
        "-c",
        PROGRAM,
        "index",
        str(path),
        "--prune",
        "--encoder",
        str(encoder),
        "--format",
        "json",
    ]
    return subprocess.Popen(words, env=environment({}), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def check_readable(location: IndexLocation, *versions: dict[str, str]) -> None:
    """Check that each document is whole, and of one of the versions."""
    with open_store(location) as store:
        for one in list(store.stored()):
            text = read_document(store, one.doc_id)[0].text
            assert text in [version[one.doc_id].strip() for version in versions if one.doc_id in version], one.doc_id


def check_complete(location: IndexLocation, texts: dict[str, str]) -> None:
    """Check that the index is what the oracle says, and that all its files are sound."""
    with open_store(location) as store:
        ids = [one.doc_id for one in store.stored()]
        assert sorted(ids) == sorted(texts), (len(ids), len(texts))
        assert list(verify(store)) == []
    check_readable(location, texts)


def main(kills: int, seed: int) -> None:
    """Kill, look, run again, compare; say how often the kill came before the run's own end."""
    chance, killed = random.Random(seed), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ |= {"RAGCLI_HOME": name, "RAGCLI_CACHE": f"{name}/cache", "HF_HUB_OFFLINE": "1"}
        encoder = write_encoder(folder / "encoder")
        location = IndexLocation(LOCAL, "knowledge_base", folder)
        texts, path, seconds = changed({}, chance), folder / "d.jsonl", 2.0
        for number in range(kills):
            new = changed(texts, chance)
            path.write_text("".join(json.dumps({"id": i, "text": text}) + "\n" for i, text in new.items()))
            process = start(path, encoder)
            time.sleep(chance.uniform(0.2, 1.1) * seconds)
            killed += process.poll() is None
            process.kill()
            process.communicate()
            if (folder / "indexes" / "knowledge_base").exists():
                check_readable(location, texts, new)
            began = time.monotonic()
            process = start(path, encoder)
            out, err = process.communicate()
            assert process.returncode == 0, err.decode()
            seconds = time.monotonic() - began
            check_complete(location, new)
            print(f"{number + 1}: {out.decode().strip()[:110]}", flush=True)
            texts = new
    print(f"{killed} of {kills} runs were killed before their end; each rerun was what the oracle says")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50, int(sys.argv[2]) if len(sys.argv) > 2 else 1)

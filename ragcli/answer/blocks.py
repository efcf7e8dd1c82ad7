"""Find the candidate blocks of an answer: those of the retrieved passages, without duplicates."""

import re
from collections.abc import Sequence

from ragcli.analysis.blocks import Block, block_size, find_blocks
from ragcli.answer.candidates import Candidate
from ragcli.store import Hit

_SPOKEN = re.compile(r"\w")
_LEFTOVER = re.compile(r"""(?:[\s'"”’)\].,;]*\n)+""")  # lines that only end the text of the passage before


def find_candidates(hits: Sequence[Hit], language: str) -> list[Candidate]:
    """Return the blocks of the hits in order, without duplicates up to case and white space."""
    found: dict[str, Candidate] = {}
    for number, hit in enumerate(hits):
        for candidate in blocks_of(hit, number, language):
            if _SPOKEN.search(candidate.text):
                found.setdefault(" ".join(candidate.text.casefold().split()), candidate)
    return list(found.values())


def blocks_of(hit: Hit, number: int, language: str) -> list[Candidate]:
    """Return all blocks of a hit in order; `number` is the hit's place."""
    blocks = [_without_leftover(block, hit.text) for block in find_blocks(hit.text, block_size(language))]
    texts = ["", *(hit.text[block.start : block.end] for block in blocks), ""]
    return [
        Candidate(
            texts[place + 1],
            number,
            hit.start + block.start,
            hit.start + block.end,
            place,
            len(blocks),
            lead=texts[1],
            before=texts[place],
            after=texts[place + 2],
            head=block.headed(hit.title, hit.text)[0],
        )
        for place, block in enumerate(blocks)
    ]


def _without_leftover(block: Block, text: str) -> Block:
    leftover = _LEFTOVER.match(text, block.start, block.end)
    return block._replace(start=leftover.end()) if leftover and leftover.end() < block.end else block

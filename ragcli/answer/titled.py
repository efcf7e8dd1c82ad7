"""Answer a question that is a document's title, as in a FAQ or glossary, by how the document begins."""

import re
from collections.abc import Sequence

from ragcli.answer.candidates import cite, find_candidates
from ragcli.answer.schema import Extract
from ragcli.answer.terms import terms
from ragcli.store import Hit

_ASKED = re.compile(r"[^:：?？]+(?=[?？])")  # the questions in a title
_SURE = 0.95  # taken, not fitted: in no set of questions that was fitted on are titles questions


def answer_by_title(question: str, hits: Sequence[Hit], language: str, most: int = 2) -> Extract | None:
    """Answer by the first sentences of the best hit whose title asks the question; return None where none does.

    A title asks it if all terms of the question stand in the title, and all terms of a question in the title in it.
    """
    asked = frozenset(terms(question, language))
    for number, hit in enumerate(hits):
        if hit.start == 0 and asked and asked <= frozenset(terms(hit.title, language)):
            parts = (frozenset(terms(part, language)) for part in _ASKED.findall(hit.title))
            found = find_candidates([hit])[:most]
            if found and any(part and part <= asked for part in parts):
                sentences = (cite(candidate._replace(hit=number)) for candidate in found)
                return Extract(tuple(sentences), _SURE, False)
    return None

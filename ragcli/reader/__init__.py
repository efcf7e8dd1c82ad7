"""The reader: score how well blocks of text answer a question, and find the words that answer it.

A reader is a BERT with three outputs per token (BertForTokenClassification): the logits that a token begins or ends the
answer, and at the first token, a logit for the whole text. A block's score is this logit plus the log-sum-exp of the
begin logits and of the end logits over the block's tokens. It is the log odds against "none of the blocks answers":
the softmax over 0 and all scores gives the probability of each block.
"""

from ragcli.reader.model import PACKAGED, Reader, Reading, find_reader, open_reader

__all__ = ["PACKAGED", "Reader", "Reading", "find_reader", "open_reader"]

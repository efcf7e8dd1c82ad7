"""The reader: a question and blocks of text → how well each block answers, and which of its words decide.

A reader is a BERT with three outputs a token (BertForTokenClassification): the logits that a token begins or ends the
answer, and, at the first token, how well the text answers at all. A block's score is the sum of the third with the
logarithms of the summed exponentials of the other two over the block's tokens. It is the log odds against "none of
the blocks answers", so that 0 means undecided: softmax over 0 and the scores gives each block's probability.
"""

from ragcli.reader.model import PACKAGED, Reader, Reading, find_reader, open_reader

__all__ = ["PACKAGED", "Reader", "Reading", "find_reader", "open_reader"]

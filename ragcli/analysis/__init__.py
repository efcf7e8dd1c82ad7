"""Analysis of text: language, words, sentences, blocks."""

"""Measures why502 and its peers on generated corpora: cost, answer, the table of targets."""

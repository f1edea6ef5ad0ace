"""HTML, read over its bytes by a tokenizer: what is not meant stays byte for byte."""

"""`clipsonic reproduce`: every table and figure of the paper, step by step."""

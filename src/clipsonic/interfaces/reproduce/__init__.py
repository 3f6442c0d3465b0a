"""`clipsonic reproduce`: the paper's tables and figures, step by step."""

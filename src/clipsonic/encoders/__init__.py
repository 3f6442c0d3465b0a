"""Frozen encoders: pictures and words => unit embeddings of one space."""

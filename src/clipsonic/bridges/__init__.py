"""Text embedding => image embedding: what closes the gap between words and pictures."""

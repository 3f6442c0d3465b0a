"""`clipsonic serve`: a queue with one worker, and over it an HTTP API and a page."""

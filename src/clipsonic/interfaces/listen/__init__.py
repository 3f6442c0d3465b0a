"""Listening tests: made, served to raters, and reported; and a page of samples."""

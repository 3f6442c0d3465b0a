"""Measurements beside the peers; run by hand, never by the tests."""

"""One loop for every model that is trained, and what is trained as small recipes on it."""

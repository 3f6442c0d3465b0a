"""What decides a model that is trained here: settings, and presets as tables to compare."""

"""Log-mel spectrogram => wave."""

"""Diffusion of mel spectrograms: the network, the objective it is trained on, the way it is sampled."""

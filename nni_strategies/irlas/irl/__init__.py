"""Inverse reinforcement learning: the weights of the mirror stimuli, from one expert block, with a certificate."""

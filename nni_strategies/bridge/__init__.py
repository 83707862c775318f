"""How NNI sees a study: tuner, strategy, and the launch of its manager."""

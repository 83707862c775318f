"""The parts of :mod:`nni_strategies.bridge.validate`: one file for each part of a config."""

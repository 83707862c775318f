"""The subcommands of ``nni_strategies``, one module each, registered by `nni_strategies.cli`."""

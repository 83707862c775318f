"""Search strategies from four neural-architecture-search papers, as plug-ins of NNI 3.0."""

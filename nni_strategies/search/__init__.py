"""How a search goes on, with no NNI in it: searchers, studies, journals."""

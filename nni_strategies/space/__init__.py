"""What a search space is: parameters, constraints, codes; from NNI's JSON or any model space."""

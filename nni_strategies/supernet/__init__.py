"""Weight-sharing supernets of NNI's model spaces: trained once, they score any architecture of the space."""

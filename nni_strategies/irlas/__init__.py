"""IRLAS: guide any search by what expert networks look like (Guo, Zhong, Wu, Lin, Yan; CVPR 2019, 1812.05285)."""

"""The small networks that run without a network or a GPU: weights, and the training that makes them."""

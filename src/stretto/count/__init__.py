"""Exact FLOPs, bytes and parameters of a shape, without a tensor."""

"""Kernels of the renderer ``warp``, for CPUs and CUDA from one source. Only its backend imports them."""

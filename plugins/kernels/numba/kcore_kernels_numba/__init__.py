"""Compiled kernels for the NumPy device: LSTM and GRU over whole sequences, pooling, depthwise convolution, by numba.

Nothing here is called by a user: installing the distribution is enough. `hooks` tells the core which operations have
a compiled kernel; numba is imported, and the code compiled or read from its cache, when the first of them is bound.
"""

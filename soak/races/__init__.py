"""Pairs of operations that meet at the same moment on the same account, some hundred rounds each."""

"""The numpy/scipy target."""

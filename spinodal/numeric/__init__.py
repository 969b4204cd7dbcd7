"""Numerics that know no models: quadrature, special functions, roots, located points, results."""

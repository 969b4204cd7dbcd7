"""From a derivation to a solver module: intermediate representation, lowering, targets, cache."""

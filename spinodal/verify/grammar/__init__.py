"""Mathematics as papers write it, into trees.

lexer       tokens with positions
cursor      a place among tokens
names       symbols with their decorations, as keys
core        the rules that refer to each other, brackets
functions   functions with and without brackets
binders     integrals, expectations, sums, extrema
parser      sums, products, powers, atoms; the whole
"""

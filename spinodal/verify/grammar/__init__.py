"""Mathematics as papers write it, into trees.

tokens      what mathematics is read in
spellings   what commands come to
macros      the author's own commands
scopes      where they hold
lexer       tokens with positions
tidy        groups that hold nothing, delimiters in pairs
cursor      a place among tokens
names       symbols with their decorations, as keys
core        the rules that refer to each other, brackets
measures    laws, densities, indicator functions
slopes      derivatives, values at a point
extrema     extrema over variables and of lists
binders     integrals, expectations, sums
functions   functions with and without brackets
parser      sums, products, powers, atoms; the whole
"""

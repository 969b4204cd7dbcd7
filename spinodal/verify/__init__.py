"""Check the equations that a document claims against the derivation of the model they are about.

documents    LaTeX and Markdown: claims, symbol maps, the statements of each equation, all with their positions
grammar, tree          mathematics as papers write it, as a tree (a small grammar of our own)
meaning      what an author's letters stand for: symbol maps, definitions in the document, the model's names
evaluate     the value of a tree, integrals included, with an error estimate
reference    the model's side: states on and off the saddle point, and the derived values there
proof, normal_form     exact rearrangement, where it decides
compare      verified, equal only at the saddle point, off by a factor, wrong
repairs      which small change would make a wrong equation right
results, run the outcome for a reader, and the whole of it for a list of documents
"""

from spinodal.verify.results import Outcome, Report, Status
from spinodal.verify.run import verify_documents, verify_text

__all__ = ["Outcome", "Report", "Status", "verify_documents", "verify_text"]

"""Continuation: branches of solutions of F(x, p) = 0, their special points, and loci of special points; knows no models."""

from spinodal.numeric.continuation.branch import Branch
from spinodal.numeric.continuation.checkpoint import CheckpointError
from spinodal.numeric.continuation.engine import NoBranchError, continue_branch
from spinodal.numeric.continuation.loci import continue_locus
from spinodal.numeric.continuation.settings import Settings

__all__ = ["Branch", "CheckpointError", "NoBranchError", "Settings", "continue_branch", "continue_locus"]

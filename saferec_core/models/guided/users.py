"""What the users of a batch may be shown, in the terms of the automaton's leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from saferec_core.models.guided.allowed import Allowance
from saferec_core.models.guided.guide import Guide

__all__ = ["Users", "users_of"]


Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Users:
    """The users of N rows, U different sets of constraints among them."""

    sums: npt.NDArray[np.int32]
    """(U, L + 1): leaves before each leaf that the constraints allow, seen ones included."""
    which: Ints
    """(N,): the constraints of each row."""
    seen: Ints
    """(N, S): leaves of seen titles that the constraints allow, L where there are no more."""
    left: Ints
    """(N,): titles that can be written for each row."""


def users_of(guide: Guide, allowances: Sequence[Allowance]) -> Users:
    """Work out what *allowances* mean for an automaton; users with the same constraints share it."""
    masks = {id(allowance.safe): allowance.safe & guide.writable for allowance in allowances}
    numbers = {key: number for number, key in enumerate(masks)}
    entry = guide.edges.entry
    sums = np.zeros((len(masks), len(entry) + 1), np.int32)
    for number, mask in enumerate(masks.values()):
        np.cumsum(mask[entry], out=sums[number, 1:])
    counts = np.array([mask.sum() for mask in masks.values()])
    which = np.array([numbers[id(allowance.safe)] for allowance in allowances])
    seen = [_seen(allowance, masks[id(allowance.safe)]) for allowance in allowances]
    leaves = np.full((len(seen), 2 * max(map(len, seen))), len(entry), np.int64)
    for row, positions in enumerate(seen):
        leaves[row, : 2 * len(positions)] = guide.twins[positions].ravel()
    return Users(sums, which, leaves, counts[which] - np.array([len(positions) for positions in seen]))


def _seen(allowance: Allowance, mask: npt.NDArray[np.bool_]) -> Ints:
    """Return the positions of seen titles that the constraints allow."""
    positions = np.asarray(allowance.seen, np.int64)
    return positions[mask[positions]]

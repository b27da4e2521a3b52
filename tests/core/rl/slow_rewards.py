"""Rewards that other processes import."""

import ctypes
import os
from collections import deque
from itertools import repeat

from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.reward import RewardFunction


@component
class InProcess(RewardFunction):
    """The length of each list; what a first title asks for happens."""

    scope = "list"

    def __call__(self, lists):
        lists.context.log("parent", float(os.getppid()))
        lists.context.log("first", lists.lengths[0].item())
        for parsed in lists.lists:
            name = parsed.items[0].name
            if name == "Fail":
                raise ValueError("no such film")
            if name == "Crash":
                ctypes.string_at(0)
            if name == "Hang":
                deque(repeat(0), maxlen=0)  # a loop in C: no signal is handled, no exception is raised
        return lists.lengths

"""Where E-steps run.

Data are cut into *leaves* (the model says how many rows make one), each leaf is prepared once, and every E-step maps
the model over the leaves and merges what comes back along a fixed binary tree. So the result has the same bits for
any engine, any number of workers and any order of completion.

An engine is anything with ``map(function, items)`` that yields results in the order of the items.
"""

from emkit.engines.leaves import Workload, merge_in_tree
from emkit.engines.serial import Engine, SerialEngine

__all__ = ["Engine", "SerialEngine", "Workload", "merge_in_tree"]

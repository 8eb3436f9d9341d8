"""The store: one narrow table port, its two implementations, and what is kept in it."""

from turnout.store.decisions import KEPT_S, Decisions, Stretch
from turnout.store.feedbacks import Feedbacks
from turnout.store.keys import Keys
from turnout.store.policies import Canary, Change, Head, Policies, Version
from turnout.store.table import Item, Table

__all__ = [
    "KEPT_S",
    "Canary",
    "Change",
    "Decisions",
    "Feedbacks",
    "Head",
    "Item",
    "Keys",
    "Policies",
    "Stretch",
    "Table",
    "Version",
]

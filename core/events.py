"""The one door to psygnal: typed, synchronous signals for core objects.

A signal is emitted on the thread that changed the object. Core objects are changed on one
thread only, the caller's; whoever works elsewhere hands results over first.
"""

from psygnal import Signal, SignalInstance

__all__ = ["Signal", "SignalInstance"]

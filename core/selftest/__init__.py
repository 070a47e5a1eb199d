"""`sliceloop --selftest`: whether this installation can do what it promises, shown by doing it."""

"""What the bundle's executables run. `freeze_support` comes first: children start here as well."""

from __future__ import annotations

import multiprocessing
import sys

if __name__ == "__main__":
    multiprocessing.freeze_support()
    multiprocessing.set_start_method("spawn")
    from desktop.launch import main

    sys.exit(main())

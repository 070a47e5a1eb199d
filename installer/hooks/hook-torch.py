"""torch without its tests, headers and compiler: what `import torch` and our own code reach.

The public hook imports every submodule, which takes minutes, and copies their sources.
"""

import sys
from pathlib import Path

from PyInstaller.utils.hooks import PY_DYLIB_PATTERNS, collect_dynamic_libs, get_package_paths

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from installer.sources import collection_mode

module_collection_mode = collection_mode("torch", Path(get_package_paths("torch")[1]))
warn_on_missing_hiddenimports = False
binaries = collect_dynamic_libs("torch", search_patterns=[*PY_DYLIB_PATTERNS, "*.so.*"])
# Imported by name when torch._dynamo is.
_polyfills = Path(get_package_paths("torch")[1]) / "_dynamo" / "polyfills"
hiddenimports = [f"torch._dynamo.polyfills.{file.stem}" for file in _polyfills.glob("[!_]*.py")]
manager = Path(get_package_paths("torch")[1]) / "bin" / "torch_shm_manager"
if manager.exists():  # looked for at import; Windows has none
    binaries.append((str(manager), "torch/bin"))
# torch finds its libraries beside the one that is loaded: it must be the one in torch/lib.
bindepend_symlink_suppression = ["**/torch/lib/*.so*"]

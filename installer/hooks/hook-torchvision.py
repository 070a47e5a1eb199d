"""torchvision's networks and transforms; its compiled part stays out (see installer.contents)."""

import sys
from pathlib import Path

from PyInstaller.utils.hooks import get_package_paths

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from installer.sources import collection_mode

module_collection_mode = collection_mode("torchvision", Path(get_package_paths("torchvision")[1]))

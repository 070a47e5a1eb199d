"""timm: networks by name."""

import sys
from pathlib import Path

from PyInstaller.utils.hooks import get_package_paths

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from installer.sources import collection_mode

module_collection_mode = collection_mode("timm", Path(get_package_paths("timm")[1]))

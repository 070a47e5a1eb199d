"""OpenVINO: its plug-ins are opened by name, from the folder in which its library lies."""

from PyInstaller.utils.hooks import collect_dynamic_libs

hiddenimports = ["openvino.frontend.pytorch.py_pytorch_frontend"]
binaries = collect_dynamic_libs("openvino", search_patterns=["*.so*", "*.dll", "*.dylib"])
bindepend_symlink_suppression = ["**/openvino/libs/*.so*"]

"""pyarrow for Parquet files; its servers, clouds and query engines stay out."""

from PyInstaller.utils.hooks import collect_dynamic_libs

hiddenimports = ["pyarrow._parquet", "pyarrow.parquet.core", "pyarrow.vendored.version"]
binaries = collect_dynamic_libs("pyarrow", search_patterns=["*.so*", "*.dll", "*.dylib"])
bindepend_symlink_suppression = ["**/pyarrow/*.so*"]

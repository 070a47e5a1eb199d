"""scikit-learn without its example data, with the style sheets that it reads when imported."""

from PyInstaller.utils.hooks import collect_data_files

datas = collect_data_files("sklearn.utils._repr_html")

"""scikit-learn without its example data."""

datas: list[tuple[str, str]] = []

"""DICOM: headers, series, pixels."""

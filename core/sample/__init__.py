"""The synthetic sample: head CTs that this code computes, for the demo and the tests.

No patient was ever scanned for them; their tags say so.
"""

from core.sample.making import make_sample
from core.sample.truth import SampleTruth, SliceTruth, sample_truth

__all__ = ["SampleTruth", "SliceTruth", "make_sample", "sample_truth"]

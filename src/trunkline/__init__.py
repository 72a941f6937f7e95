"""Trunkline: AI phone calls on your own phone system."""

import os

# onnxruntime's official Linux builds send telemetry unless this is set before its first import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# numpy's matrices are small here; sharing one among threads takes four times as long, and the other core as well.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"

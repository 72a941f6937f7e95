"""Trunkline: AI phone calls on your own phone system."""

import os

# onnxruntime's official Linux builds send telemetry unless this is set before its first import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"

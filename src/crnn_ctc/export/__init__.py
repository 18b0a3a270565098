"""Model files written: export (torch), quantization (onnx), calibration."""

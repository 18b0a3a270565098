"""Writing model files: export (torch), quantization (onnx), calibration."""

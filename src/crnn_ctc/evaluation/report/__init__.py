"""An evaluation as one HTML file that needs nothing else: see docs/report.md."""

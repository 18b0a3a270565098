"""Evaluation report as one self-contained HTML file: see docs/report.md."""

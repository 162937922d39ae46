"""Reports on models and detectors as self-contained HTML pages."""

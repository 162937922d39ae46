"""Models as ONNX graphs, which other programs and languages can run."""

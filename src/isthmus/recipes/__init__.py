"""Well-known autoencoders by name, each as its document describes it, with its figure."""

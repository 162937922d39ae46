"""Well-known autoencoders by name, each as its tutorial describes it, with its figure."""

"""scikit-learn estimators: data, networks, objectives and training put together."""

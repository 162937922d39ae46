"""scikit-learn estimators, built from data, networks, objectives and training."""

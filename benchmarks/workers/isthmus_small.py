"""Worker: fits of a small table in a process that has just imported isthmus.

job: rows, columns, epochs, search (false: two fits of one estimator; true: a grid search)
"""

import time

import job

import isthmus as ist


def main() -> None:
    task = job.read()
    rows = job.table(task.rows, task.columns)
    began = time.perf_counter()
    model = ist.Autoencoder(epochs=task.epochs, patience=None, random_state=0, verbose=0)
    imported = time.perf_counter()
    if task.search:
        from sklearn.model_selection import GridSearchCV

        grid = GridSearchCV(model, {"latent_dim": [2, 3, 4]}, cv=5, refit=False)
        imported = time.perf_counter()
        grid.fit(rows)
        job.report(fit_seconds=time.perf_counter() - imported)
        return
    model.fit(rows)
    first = time.perf_counter()
    model.fit(rows)
    job.report(
        import_seconds=imported - began,
        fit_seconds=first - imported,
        again_seconds=time.perf_counter() - first,
    )


if __name__ == "__main__":
    main()

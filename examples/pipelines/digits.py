"""Handwritten digits, load → train → evaluate: the notebook `digits.ipynb` as a pipeline.

Compile it with ``python examples/pipelines/digits.py``; run it with
``jupyter pipelines run examples/pipelines/digits.yaml``.
"""

from pathlib import Path

from kfp import compiler, dsl

IMAGE = "python:3.12"
PACKAGES = ["scikit-learn", "matplotlib"]


@dsl.component(base_image=IMAGE, packages_to_install=PACKAGES)
def load(test_share: float, train: dsl.Output[dsl.Dataset], test: dsl.Output[dsl.Dataset]):
    """Splits scikit-learn's bundled digits into two CSV files."""
    import numpy as np
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    rows = np.column_stack([digits.data, digits.target])
    for artifact, part in zip(
        (train, test), train_test_split(rows, test_size=test_share, random_state=0)
    ):
        header = ",".join([f"pixel_{i}" for i in range(64)] + ["digit"])
        np.savetxt(artifact.path, part, delimiter=",", fmt="%d", header=header, comments="")
        artifact.metadata["rows"] = len(part)


@dsl.component(base_image=IMAGE, packages_to_install=PACKAGES)
def train(data: dsl.Input[dsl.Dataset], regularization: float, model: dsl.Output[dsl.Model]):
    """Fits a multinomial logistic regression."""
    import pickle

    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = np.loadtxt(data.path, delimiter=",", skiprows=1)
    classifier = make_pipeline(
        StandardScaler(), LogisticRegression(C=regularization, max_iter=500)
    )
    classifier.fit(rows[:, :-1], rows[:, -1].astype(int))
    with open(model.path, "wb") as file:
        pickle.dump(classifier, file)
    model.metadata["framework"] = "scikit-learn"
    print(f"Trained on {len(rows)} digits.")


@dsl.component(base_image=IMAGE, packages_to_install=PACKAGES)
def evaluate(
    data: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
    confusion: dsl.Output[dsl.ClassificationMetrics],
    roc: dsl.Output[dsl.ClassificationMetrics],
    report: dsl.Output[dsl.Markdown],
    figure: dsl.Output[dsl.HTML],
) -> float:
    """Scores the model: accuracy, confusion matrix, micro-averaged ROC, report and figure."""
    import base64
    import io
    import pickle

    import matplotlib
    import numpy as np
    from sklearn.metrics import accuracy_score, confusion_matrix, roc_auc_score, roc_curve

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    rows = np.loadtxt(data.path, delimiter=",", skiprows=1)
    images, digits = rows[:, :-1], rows[:, -1].astype(int)
    with open(model.path, "rb") as file:
        classifier = pickle.load(file)
    scores = classifier.predict_proba(images)
    predicted = scores.argmax(axis=1)

    accuracy = float(accuracy_score(digits, predicted))
    truth = np.eye(10)[digits]
    auc = float(roc_auc_score(truth, scores, average="micro"))
    metrics.log_metric("accuracy", accuracy)
    metrics.log_metric("roc_auc", auc)

    matrix = confusion_matrix(digits, predicted)
    confusion.log_confusion_matrix([str(d) for d in range(10)], matrix.tolist())

    false_positive, true_positive, threshold = roc_curve(truth.ravel(), scores.ravel())
    roc.log_roc_curve(
        false_positive.tolist(), true_positive.tolist(), np.minimum(threshold, 1.0).tolist()
    )

    wrong = np.flatnonzero(predicted != digits)
    with open(report.path, "w") as file:
        file.write("# Handwritten digits\n\n")
        file.write("| measure | value |\n|---|---|\n")
        file.write(f"| test digits | {len(digits)} |\n")
        file.write(f"| accuracy | {accuracy:.3f} |\n")
        file.write(f"| area under the ROC curve | {auc:.4f} |\n")
        file.write(f"| misread | {len(wrong)} |\n")

    columns = max(1, min(8, len(wrong)))
    drawing, axes = plt.subplots(1, columns, figsize=(1.2 * columns, 1.7), squeeze=False)
    for axis, index in zip(axes[0], wrong):
        axis.imshow(images[index].reshape(8, 8), cmap="gray_r")
        axis.set_title(f"{digits[index]} → {predicted[index]}", fontsize=9)
    for axis in axes[0]:
        axis.axis("off")
    png = io.BytesIO()
    drawing.savefig(png, format="png", dpi=150, bbox_inches="tight")
    with open(figure.path, "w") as file:
        encoded = base64.b64encode(png.getvalue()).decode()
        file.write("<h3>Misread digits: true → predicted</h3>")
        file.write(f'<img alt="Misread digits" src="data:image/png;base64,{encoded}">')
    return accuracy


@dsl.pipeline(name="digits", description="Reads handwritten digits.")
def digits(test_share: float = 0.25, regularization: float = 0.1) -> float:
    """Load → train → evaluate; returns the accuracy."""
    loaded = load(test_share=test_share)
    trained = train(data=loaded.outputs["train"], regularization=regularization)
    evaluated = evaluate(data=loaded.outputs["test"], model=trained.outputs["model"])
    return evaluated.outputs["Output"]


if __name__ == "__main__":
    compiler.Compiler().compile(digits, str(Path(__file__).with_suffix(".yaml")))

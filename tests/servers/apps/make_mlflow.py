"""Save a model whose answer is the first number of each row times a factor."""

import sys

import mlflow


class Times(mlflow.pyfunc.PythonModel):
    def __init__(self, factor):
        self.factor = factor

    def predict(self, context, model_input, params=None):
        return [float(row) * self.factor for row in model_input.iloc[:, 0]]


mlflow.pyfunc.save_model(sys.argv[1], python_model=Times(float(sys.argv[2])), pip_requirements=["mlflow"])

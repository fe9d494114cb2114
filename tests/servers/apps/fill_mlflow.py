"""Train two versions of a model, as far as a registry can tell, and give them aliases."""

import sys

import mlflow
import pandas as pd

mlflow.set_tracking_uri(sys.argv[1])
client = mlflow.MlflowClient()
client.create_registered_model("flight-delay")
experiment = client.create_experiment("training")
data = mlflow.data.from_pandas(pd.DataFrame({"x": [1.0, 2.0]}), name="flights")
for version, accuracy, alias in ((1, 0.897, "champion"), (2, 0.901, "challenger")):
    with mlflow.start_run(experiment_id=experiment) as run:
        mlflow.log_metrics({"val_accuracy": accuracy, "loss": float("nan")})
        mlflow.log_params({"max_depth": version})
        mlflow.log_input(data, "training")
    client.create_model_version("flight-delay", f"{run.info.artifact_uri}/model", run.info.run_id)
    if alias not in sys.argv[2:]:
        client.set_registered_model_alias("flight-delay", alias, version)

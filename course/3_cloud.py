# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 3 · Cloud platforms
#
# 75 minutes. You need stages 1 and 2: a model, and what a container is. No account, no network.
# Back to the [roadmap](roadmap.ipynb).

# %% [markdown]
# ## You will be able to
#
# - say one job, train → register → deploy → monitor, in the words of three platforms
# - build its definitions with the real SDKs, and let them be checked before anything is sent
# - tell what a check without an account can find, and what it cannot
# - compute a monthly bill from a price table, and find the line that matters
# - write a policy that allows one job and no more, and watch it deny the rest
# - keep a secret out of every definition

# %% [markdown]
# `SMALL` reads one month instead of the year.

# %% tags=["parameters"]
SMALL = False

# %%
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

import flights
from autograder.environments import python_of

plt.style.use("workbook.mplstyle")
pd.set_option("display.width", 160, "display.max_columns", 12, "display.max_colwidth", 60)
WORK = Path("work/3_cloud")
shutil.rmtree(WORK, ignore_errors=True)
WORK.mkdir(parents=True)

# %% [markdown]
# The three SDKs are large and want their own versions of many packages. They live in
# `.venv-platforms`, and each runs in a process of its own. None of them gets credentials or a network:
# what they do here is build definitions and check them. Nothing below was sent anywhere, and no cell
# says that it was.

# %%
PLATFORMS = python_of("platforms")
QUIET = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "SAGEMAKER_VALIDATE_ROLE": "false",  # it would ask IAM whether the role exists
    "PYTHONWARNINGS": "ignore",
}
# Whatever is configured on this machine stays out of it.
CLEAN = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("AWS_", "AZURE_", "GOOGLE_"))
}


def start(name: str) -> subprocess.Popen:
    """Start NAME.py with the platforms' packages; what it prints goes to NAME.log."""
    log = (WORK / f"{name}.log").open("w")
    return subprocess.Popen(
        [str(PLATFORMS), f"{name}.py"],
        cwd=WORK,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=CLEAN | QUIET,
    )


def finish(name: str, process: subprocess.Popen) -> dict:
    """Wait for NAME.py and return what it wrote to NAME.json."""
    if process.wait(timeout=200):
        raise RuntimeError((WORK / f"{name}.log").read_text()[-3000:])
    return json.loads((WORK / f"{name}.json").read_text())


print("ready")

# %% [markdown]
# ## Five minutes: why
#
# The flight-delay service has users. When do they ask? Take the schedule: one question per flight, six
# hours before it leaves.

# %%
year = flights.load_flights(months=[1]) if SMALL else flights.load_flights()
asked = (year["sched_dep_time"] - pd.Timedelta(hours=6)).dt.hour
days = year["sched_dep_time"].dt.date.nunique()
per_hour = asked.value_counts().reindex(range(24), fill_value=0).sort_index() / days

figure, axes = plt.subplots()
axes.bar(per_hour.index, per_hour, color="0.5")
axes.set(
    xlabel="hour of the day (New York)",
    ylabel="questions an hour",
    title="The service is asked once a minute, at most",
)
plt.show()
print(f"busiest hour: one question every {3600 / per_hour.max():.0f} seconds")
print(f"hours of the day with less than one question: {(per_hour < 1).sum()}")

# %% [markdown]
# Your laptop could answer that. What it cannot: be on at night, belong to nobody who is on holiday,
# prove who changed the model, start fifty machines for an hour and give them back. That is what you
# rent. And you rent it *by the hour it is there*, not by the question: an idle endpoint costs what a
# busy one costs. Both sentences decide everything below.

# %% [markdown]
# ## The job in your own words, before anybody's SDK
#
# Write down what you want once. Everything a platform asks for that is not in this list is the
# platform's, and everything in the list has to reappear.

# %%
JOB = {
    "name": "flights-late",
    "image": "flights-late:1",
    "train data": "train/",
    "machines": 1,
    "at most": "1 hour",
    "serve on": 2,
    "watch": "input drift, once a day",
    "call": "oncall@example.com",
}
pd.Series(JOB, name="what we want").to_frame()

# %% [markdown]
# ## Azure ML: a workspace holds everything, and every object is a YAML file
#
# The **workspace** is the place: data, jobs, models and endpoints belong to one. You describe objects in
# Python or YAML, which is the same thing: every Python object can be dumped, every file loaded. Loading
# checks it against the SDK's schema.

# %%
# %%writefile work/3_cloud/azure_job.py
"""Train, register, deploy, monitor, on Azure ML: built and checked here, sent nowhere."""

import json
import logging
from pathlib import Path

import yaml
from azure.ai.ml import Input, Output, automl, command, dsl, load_online_deployment
from azure.ai.ml.entities import (
    AlertNotification,
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    Model,
    MonitorDefinition,
    MonitoringTarget,
    MonitorSchedule,
    RecurrenceTrigger,
    ServerlessSparkCompute,
    Workspace,
)

logging.disable(logging.WARNING)
Path("code").mkdir(exist_ok=True)
Path("code/train.py").write_text("# the training script of stage 1\n")
DATA = Input(type="uri_folder", path="azureml://datastores/lake/paths/train/")

workspace = Workspace(name="flights", location="eastus", resource_group="flights-late")

train = command(
    name="train",
    code="code",
    command="python train.py --data ${{inputs.data}} --model ${{outputs.model}}",
    environment="azureml://registries/azureml/environments/sklearn-1.5/labels/latest",
    inputs={"data": Input(type="uri_folder")},
    outputs={"model": Output(type="custom_model")},
)


@dsl.pipeline(name="flights-late", compute="cpu-cluster")
def flights_late(data):
    trained = train(data=data)
    return {"model": trained.outputs.model}


def without_a_machine():
    @dsl.pipeline(name="flights-late")
    def nowhere(data):
        train(data=data)

    return nowhere(DATA)._validate()


search = automl.classification(
    compute="cpu-cluster",
    experiment_name="flights-late",
    training_data=Input(type="mltable", path="azureml://datastores/lake/paths/train/"),
    target_column_name="late",
    primary_metric="AUC_weighted",
    n_cross_validations=3,
)
search.set_limits(timeout_minutes=60, max_trials=10, enable_early_termination=True)

model = Model(name="flights-late", path="azureml://jobs/JOB/outputs/model", type="custom_model")
endpoint = ManagedOnlineEndpoint(name="flights-late", auth_mode="aad_token")
blue = ManagedOnlineDeployment(
    name="blue",
    endpoint_name="flights-late",
    model="azureml:flights-late:1",
    instance_type="Standard_DS3_v2",
    instance_count=2,
)
monitor = MonitorSchedule(
    name="drift",
    trigger=RecurrenceTrigger(frequency="day", interval=1),
    create_monitor=MonitorDefinition(
        compute=ServerlessSparkCompute(instance_type="standard_e4s_v3", runtime_version="3.4"),
        monitoring_target=MonitoringTarget(
            ml_task="classification", endpoint_deployment_id="azureml:flights-late:blue"
        ),
        alert_notification=AlertNotification(emails=["oncall@example.com"]),
    ),
)

pipeline = flights_late(DATA)
parts = {
    "workspace": workspace,
    "pipeline": pipeline,
    "automl": search,
    "endpoint": endpoint,
    "deployment": blue,
    "monitor": monitor,
}
texts = {}
for name, part in parts.items():
    path = Path(f"azure_{name}.yml")
    path.unlink(missing_ok=True)
    content = part.dump(str(path))
    if not path.exists():  # an endpoint gives its content back instead of writing it
        path.write_text(yaml.safe_dump(json.loads(json.dumps(content))))
    texts[name] = path.read_text()

Path("azure_wrong.yml").write_text(
    texts["deployment"].replace("instance_count: 2", "instance_count: two")
)
try:
    load_online_deployment("azure_wrong.yml")
    refused = None
except Exception as error:
    refused = " ".join(str(error).split())
machineless = without_a_machine()
Path("azure_job.json").write_text(
    json.dumps(
        {
            "texts": texts,
            "pipeline valid": pipeline._validate().passed,
            "no machine": machineless.error_messages,
            "model": f"{model.name}, {model.type}",
            "wrong count": refused,
        }
    )
)

# %%
azure_process = start("azure_job")
print("Azure's SDK is building")

# %% [markdown]
# ## SageMaker: each part is a request, and the pipeline is a JSON document
#
# The SageMaker Python SDK is at major version 3: `ModelTrainer` replaces the `Estimator` that most
# tutorials still show. Inside a `PipelineSession` nothing is started; calling `train()` gives the step's
# arguments.
#
# Registering, deploying and monitoring are API calls with a fixed shape. botocore, which every AWS SDK
# in Python stands on, ships that shape and can check a request against it without sending it.

# %%
# %%writefile work/3_cloud/aws_job.py
"""Train, register, deploy, monitor, on SageMaker: built and checked here, sent nowhere."""

import json
import logging
from pathlib import Path

import boto3
import botocore.session
from botocore.validate import ParamValidator
from sagemaker.core.workflow.parameters import ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow import Pipeline
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.steps import TrainingStep
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, OutputDataConfig, StoppingCondition

logging.disable(logging.WARNING)
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/flights-late:1"
ROLE = "arn:aws:iam::123456789012:role/flights-late-train"

session = PipelineSession(
    boto_session=boto3.Session(region_name="us-east-1"), default_bucket="example-lake"
)
trainer = ModelTrainer(
    training_image=IMAGE,
    role=ROLE,
    base_job_name="flights-late",
    compute=Compute(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=30),
    stopping_condition=StoppingCondition(max_runtime_in_seconds=3600),
    input_data_config=[InputData(channel_name="train", data_source="s3://example-lake/train/")],
    output_data_config=OutputDataConfig(s3_output_path="s3://example-lake/models/"),
    sagemaker_session=session,
)
train = TrainingStep(name="Train", step_args=trainer.train())


def definition(steps: list) -> dict:
    pipeline = Pipeline(
        name="flights-late",
        parameters=[ParameterString("Month", "2013-03")],
        steps=steps,
        sagemaker_session=session,
    )
    return json.loads(pipeline.definition())


try:
    definition([train, FailStep(name="Train", error_message="same name")])
    twice = None
except ValueError as error:
    twice = str(error)

REQUESTS = {
    "CreateModelPackage": {  # register
        "ModelPackageGroupName": "flights-late",
        "ModelApprovalStatus": "PendingManualApproval",
        "InferenceSpecification": {
            "Containers": [
                {"Image": IMAGE, "ModelDataUrl": "s3://example-lake/models/model.tar.gz"}
            ],
            "SupportedContentTypes": ["application/json"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
    },
    "CreateEndpointConfig": {  # deploy
        "EndpointConfigName": "flights-late-blue",
        "ProductionVariants": [
            {
                "VariantName": "blue",
                "ModelName": "flights-late-1",
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": 2,
            }
        ],
        "DataCaptureConfig": {
            "EnableCapture": True,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": "s3://example-lake/captured/",
            "CaptureOptions": [{"CaptureMode": "InputAndOutput"}],
        },
    },
    "CreateEndpoint": {"EndpointName": "flights-late", "EndpointConfigName": "flights-late-blue"},
    "CreateMonitoringSchedule": {  # monitor
        "MonitoringScheduleName": "flights-late-drift",
        "MonitoringScheduleConfig": {
            "ScheduleConfig": {"ScheduleExpression": "cron(0 6 * * ? *)"},
            "MonitoringJobDefinitionName": "flights-late-data-quality",
            "MonitoringType": "DataQuality",
        },
    },
}
api = botocore.session.get_session().get_service_model("sagemaker")


def complaints(call: str, request: dict) -> list[str]:
    """What the API's own model has against this request."""
    report = ParamValidator().validate(request, api.operation_model(call).input_shape)
    return report.generate_report().splitlines()


forgotten = dict(
    REQUESTS["CreateEndpoint"], EndpointConfig=REQUESTS["CreateEndpoint"]["EndpointConfigName"]
)
del forgotten["EndpointConfigName"]
Path("aws_job.json").write_text(
    json.dumps(
        {
            "pipeline": definition([train]),
            "two steps of one name": twice,
            "requests": REQUESTS,
            "complaints": {call: complaints(call, request) for call, request in REQUESTS.items()},
            "wrong word": complaints("CreateEndpoint", forgotten),
            "machine that does not exist": complaints(
                "CreateEndpointConfig",
                {
                    "EndpointConfigName": "x",
                    "ProductionVariants": [
                        {
                            "VariantName": "v",
                            "ModelName": "m",
                            "InstanceType": "ml.m5.enormous",
                            "InitialInstanceCount": 1,
                        }
                    ],
                },
            ),
        }
    )
)

# %%
aws_process = start("aws_job")
print("SageMaker's SDK is building")

# %% [markdown]
# ## Vertex AI: protocol buffers, and Kubeflow's pipeline file
#
# Google's platform was called **Vertex AI** for years. In 2026 Google renamed it Gemini Enterprise Agent
# Platform; API, packages and most people still say Vertex AI, and so do we. Its objects are protocol
# buffers: a field that does not exist cannot be set. Pipelines are compiled with the Kubeflow Pipelines
# SDK; the same file would run on your own cluster.

# %%
# %%writefile work/3_cloud/vertex_job.py
"""Train, register, deploy, monitor, on Vertex AI: built and checked here, sent nowhere."""

import json
from pathlib import Path

import yaml
from google.cloud.aiplatform_v1 import types
from google.iam.v1 import policy_pb2
from google.protobuf import json_format
from kfp import compiler, dsl

PLACE = "projects/example/locations/us-central1"
IMAGE = "us-central1-docker.pkg.dev/example/flights/flights-late:1"


@dsl.container_component
def train(data: str, model: dsl.Output[dsl.Model]):
    return dsl.ContainerSpec(
        image=IMAGE, command=["python", "train.py"], args=["--data", data, "--model", model.path]
    )


@dsl.pipeline(name="flights-late")
def flights_late(data: str = "gs://example-lake/train/"):
    train(data=data).set_cpu_limit("2").set_memory_limit("8G")


compiler.Compiler().compile(flights_late, "vertex_pipeline.yaml")
specification = yaml.safe_load(Path("vertex_pipeline.yaml").read_text())

parts = {
    "pipeline": types.PipelineJob(
        display_name="flights-late",
        pipeline_spec=specification,
        runtime_config={"gcs_output_directory": "gs://example-lake/runs/"},
        service_account="train@example.iam.gserviceaccount.com",
    ),
    "automl": types.TrainingPipeline(
        display_name="flights-late-automl",
        training_task_definition="gs://google-cloud-aiplatform/schema/trainingjob/definition/automl_tabular_1.0.0.yaml",
        training_task_inputs={
            "predictionType": "classification",
            "targetColumn": "late",
            "optimizationObjective": "maximize-au-roc",
            "trainBudgetMilliNodeHours": 1000,
        },
    ),
    "model": types.Model(
        display_name="flights-late",
        version_aliases=["candidate"],
        artifact_uri="gs://example-lake/models/1/",
        container_spec={
            "image_uri": IMAGE,
            "predict_route": "/predict",
            "health_route": "/health",
            "ports": [{"container_port": 8080}],
        },
    ),
    "features": types.FeatureView(
        feature_registry_source={
            "feature_groups": [{"feature_group_id": "daily", "feature_ids": ["late_share"]}]
        },
        sync_config={"cron": "TZ=America/New_York 15 0 * * *"},
    ),
    "endpoint": types.Endpoint(display_name="flights-late", traffic_split={"0": 100}),
    "deployment": types.DeployedModel(
        model=f"{PLACE}/models/flights-late@candidate",
        dedicated_resources={
            "machine_spec": {"machine_type": "n1-standard-2"},
            "min_replica_count": 2,
            "max_replica_count": 4,
        },
    ),
    "monitor": types.ModelDeploymentMonitoringJob(
        display_name="flights-late-drift",
        endpoint=f"{PLACE}/endpoints/flights-late",
        model_deployment_monitoring_schedule_config={"monitor_interval": {"seconds": 86400}},
        logging_sampling_strategy={"random_sample_config": {"sample_rate": 1.0}},
        model_monitoring_alert_config={
            "email_alert_config": {"user_emails": ["oncall@example.com"]}
        },
        model_deployment_monitoring_objective_configs=[
            {
                "deployed_model_id": "0",
                "objective_config": {
                    "prediction_drift_detection_config": {
                        "drift_thresholds": {"hour": {"value": 0.1}}
                    }
                },
            }
        ],
    ),
}


def refusal(make) -> str:
    try:
        make()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


policy = json_format.ParseDict(
    {
        "bindings": [
            {
                "role": "roles/aiplatform.user",
                "members": ["serviceAccount:train@example.iam.gserviceaccount.com"],
            },
            {
                "role": "roles/storage.objectViewer",
                "members": ["serviceAccount:train@example.iam.gserviceaccount.com"],
            },
        ]
    },
    policy_pb2.Policy(),
)
Path("vertex_job.json").write_text(
    json.dumps(
        {
            "parts": {
                name: json.loads(type(part).to_json(part, including_default_value_fields=False))
                for name, part in parts.items()
            },
            "wrong word": refusal(lambda: types.Endpoint(name_to_show="flights-late")),
            "wrong type": refusal(
                lambda: types.DeployedModel(dedicated_resources={"min_replica_count": "two"})
            ),
            "machine that does not exist": refusal(
                lambda: types.MachineSpec(machine_type="n1-enormous")
            ),
            "policy": json_format.MessageToDict(policy),
        }
    )
)

# %%
vertex_process = start("vertex_job")
print("Google's SDK is building")

# %% [markdown]
# ## What Azure's SDK made of it

# %% tags=["topic:azure-ml-workspace"]
azure = finish("azure_job", azure_process)
print(azure["texts"]["workspace"])

# %% [markdown]
# Not in the file, and made with it: a storage account, a key vault, a registry and a log. You pay for
# some of them from the first day.

# %% tags=["topic:azure-ml-pipeline"]
print("right pipeline:   ", "passed" if azure["pipeline valid"] else "refused")
print("without a machine:", azure["no machine"])
print(
    "wrong count:      ",
    "refused" if "instance_count" in azure["wrong count"] else azure["wrong count"][:300],
)

# %% tags=["topic:azure-ml-automl"]
print(azure["texts"]["automl"])

# %% [markdown]
# Automated ML tries models and settings inside limits that you give. The limits are the budget: ten
# trials, sixty minutes. Compare its result with *your* baseline, on *your* split in time: by default it
# splits at random, and stage 1 showed what that is worth here.

# %% tags=["topic:azure-ml-endpoint"]
print(azure["texts"]["endpoint"])
print(azure["texts"]["deployment"])

# %% [markdown]
# An endpoint is the address, a deployment the machines behind it. Two deployments (blue, green) share an
# endpoint's traffic: that is how you go back in seconds.
#
# ## What SageMaker's SDK made of it

# %% tags=["topic:sagemaker-building"]
aws = finish("aws_job", aws_process)
(step,) = aws["pipeline"]["Steps"]
print(
    json.dumps(
        {
            name: step["Arguments"][name]
            for name in ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition")
        },
        indent=1,
    )
)

# %% tags=["topic:sagemaker-pipelines"]
print("version", aws["pipeline"]["Version"], "| parameters", aws["pipeline"]["Parameters"])
print("two steps of one name:", "refused" if aws["two steps of one name"] else "accepted")

# %% tags=["topic:sagemaker-deployment"]
for call in ("CreateModelPackage", "CreateEndpointConfig", "CreateEndpoint"):
    print(f"{call:<24}", aws["complaints"][call] or "matches the API's model")
print("one wrong word:         ", aws["wrong word"])

# %% tags=["topic:sagemaker-monitoring"]
print(
    "CreateMonitoringSchedule",
    aws["complaints"]["CreateMonitoringSchedule"] or "matches the API's model",
)
print(
    "data captured:          ",
    aws["requests"]["CreateEndpointConfig"]["DataCaptureConfig"]["InitialSamplingPercentage"],
    "%",
)

# %% [markdown]
# A model package waits for a person: `PendingManualApproval`. And drift can only be seen if the
# endpoint *captures* its inputs; who forgets that on the first day has nothing to compare with later.
#
# ## What Google's SDK made of it

# %% tags=["topic:vertex-registry"]
vertex = finish("vertex_job", vertex_process)
print(json.dumps(vertex["parts"]["model"], indent=1, sort_keys=True))
print("wrong word:", vertex["wrong word"])

# %% tags=["topic:vertex-feature-store"]
print(json.dumps(vertex["parts"]["features"], indent=1, sort_keys=True))

# %% tags=["topic:vertex-pipelines"]
executors = vertex["parts"]["pipeline"]["pipelineSpec"]["deploymentSpec"]["executors"]
print(json.dumps(executors, indent=1, sort_keys=True))

# %% tags=["topic:vertex-automl"]
print(json.dumps(vertex["parts"]["automl"]["trainingTaskInputs"], indent=1, sort_keys=True))
print(json.dumps(vertex["parts"]["monitor"]["modelMonitoringAlertConfig"], indent=1))

# %% [markdown]
# `trainBudgetMilliNodeHours`: a thousand of them are one node hour. Read the unit twice; it is money. And
# here no word is checked: the inputs are a free-form value, and the service compares them with the schema
# that `training_task_definition` names, when you submit.

# %% [markdown]
# ## Three platforms, one job
#
# The numbers below come out of the definitions that were just built.

# %% tags=["topic:one-job-three-clouds"]
variant = aws["requests"]["CreateEndpointConfig"]["ProductionVariants"][0]
deployed = vertex["parts"]["deployment"]["dedicatedResources"]
count = int(re.search(r"instance_count: (\d+)", azure["texts"]["deployment"])[1])
pd.DataFrame(
    {
        "Azure ML": [
            "command job in a pipeline",
            "Model in the workspace",
            "online endpoint + deployment",
            "Standard_DS3_v2",
            count,
            "MonitorSchedule",
        ],
        "SageMaker": [
            step["Type"],
            "model package in a group",
            "endpoint + endpoint config",
            variant["InstanceType"],
            variant["InitialInstanceCount"],
            "monitoring schedule",
        ],
        "Vertex AI": [
            "pipeline job (KFP file)",
            "Model with version alias",
            "endpoint + deployed model",
            deployed["machineSpec"]["machineType"],
            deployed["minReplicaCount"],
            "deployment monitoring job",
        ],
    },
    index=["train", "register", "deploy", "machine", "machines", "monitor"],
)

# %% [markdown]
# | | Azure ML | SageMaker | Vertex AI |
# |---|---|---|---|
# | Everything lives in | a workspace, in a resource group | an account and a region | a project and a location |
# | You write | Python or YAML, the same | Python, or JSON requests | Python over protocol buffers |
# | Pipeline file | YAML of its own | JSON of its own | Kubeflow's YAML |
# | A job's identity | managed identity | IAM role | service account |
# | Features | feature store as a workspace kind | feature groups | views on BigQuery |
# | Automated ML | sweep with limits | Autopilot, in SageMaker Canvas today | AutoML with a budget in node hours |
#
# **The same:** a container, data behind a path, a registry with versions, an address with machines
# behind it, an identity for the job. **Not the same:** names, permissions, what is checked when.
#
# Put the same in *your* hands: the image, the training script, the data's layout, the tests. Then a move
# costs days for the definitions, not months.

# %% [markdown]
# ## What a check without an account cannot find
#
# All three SDKs know which words exist. None of them knows what exists in your account.

# %%
print("SageMaker, ml.m5.enormous:", aws["machine that does not exist"] or "no complaint")
print("Vertex AI, n1-enormous:   ", vertex["machine that does not exist"] or "no complaint")

# %% [markdown]
# Check definitions in CI (it is free and takes seconds), and submit to a *development* workspace for
# the rest: names, quotas, permissions, regions.

# %% [markdown]
# ## The bill: find the line that matters
#
# A price table is data with a source and a date. Two kinds of rows are in this one, and the difference
# is stated: **list** prices from the provider's price page, and **example** values, which are round
# numbers of the right size that *you replace* by your region's price, before you decide anything. The
# list prices are not today's: the last column dates the copy that was read. For Google's two that was what
# others had copied from its page, for AWS a stored page. Look at the pages again before you quote a price.

# %%
PRICES = pd.DataFrame(
    [
        (
            "machine hour",
            0.25,
            "USD an hour",
            "example",
            "your provider's calculator: 2 to 4 cores, on demand",
            "replace it",
        ),
        (
            "serverless second",
            0.00005,
            "USD a second",
            "example",
            "your provider's calculator: 1 to 2 GB of memory",
            "replace it",
        ),
        (
            "storage",
            0.023,
            "USD a GB and month",
            "example",
            "your provider's calculator: object storage",
            "replace it",
        ),
        (
            "AutoML tabular",
            21.252,
            "USD a node hour",
            "list",
            "cloud.google.com/vertex-ai/pricing",
            "2026-10-07",
        ),
        (
            "pipeline run",
            0.03,
            "USD a run",
            "list",
            "cloud.google.com, Agent Platform Pipelines",
            "2026-09-20",
        ),
        (
            "state transition",
            0.000025,
            "USD each",
            "list",
            "aws.amazon.com/step-functions/pricing, us-east-1",
            "2026-11 (stored copy of the page)",
        ),
    ],
    columns=["what", "price", "unit", "kind", "source", "read on"],
).set_index("what")
PRICES

# %% tags=["topic:cloud-cost"]
price = PRICES["price"]
questions = len(year) / days * 30
month = pd.Series(
    {
        "endpoint, 2 machines, always on": 2 * 24 * 30 * price["machine hour"],
        "endpoint, forgotten after a test": 1 * 24 * 30 * price["machine hour"],
        "AutoML, 1 node hour a month": price["AutoML tabular"],
        "endpoint, 1 machine, 18 hours a day": 18 * 30 * price["machine hour"],
        "nightly training, 20 minutes": 30 * 20 / 60 * price["machine hour"],
        "batch predictions, 5 minutes a day": 30 * 5 / 60 * price["machine hour"],
        "serverless, 0.2 s a question": questions * 0.2 * price["serverless second"],
        "pipeline runs, one a night": 30 * price["pipeline run"],
        "storage, 20 GB": 20 * price["storage"],
    }
).sort_values()
figure, axes = plt.subplots(figsize=(8, 3.4))
axes.barh(month.index, month, color="0.5")
axes.set(xlabel="US dollars a month, from the table above", title="Machines that wait are the bill")
for place, value in enumerate(month):
    axes.text(value + 3, place, f"{value:.2f}", va="center")
plt.show()
always = month["endpoint, 2 machines, always on"]
print(
    f"{questions:.0f} questions a month; always on costs {always / month['serverless, 0.2 s a question']:.0f} times serverless"
)

# %% [markdown]
# That waiting machines are the bill holds even if the example prices are wrong by a factor of three. So the
# decisions hold, too: predict in a batch if you can wait, scale to zero if you can start slowly, keep
# machines on only for users who will not wait. And put an alarm on the *budget* before the first job.

# %% [markdown]
# ## IAM: allow the job, not the person who was in a hurry
#
# Identity and access management answers one question: *who* may do *what* to *which* thing. A job has
# its own identity. Here are two policies for the training job on AWS. The first is what people paste to
# make an error go away.
#
# [policy_sentry](https://policy-sentry.readthedocs.io) ships AWS's list of actions and expands the stars.
# And [moto](https://docs.getmoto.org), an emulator of AWS, *enforces* policies: the calls below are made
# against its storage, with each identity, and are really denied. (It checks *which* thing is asked for
# with storage only, so the calls are calls to storage.)

# %%
# %%writefile work/3_cloud/iam.py
"""Two policies: what they contain, and what they let happen. All inside an emulator."""

import json
from pathlib import Path

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core import set_initial_no_auth_action_count
from policy_sentry.analysis.expand import get_expanded_policy
from policy_sentry.querying.all import get_all_actions

LAKE = "arn:aws:s3:::example-lake"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:weather-token-*"
POLICIES = {
    "in a hurry": [{"Effect": "Allow", "Action": ["s3:*", "secretsmanager:*"], "Resource": "*"}],
    "least privilege": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{LAKE}/train/*"},
        {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"{LAKE}/models/*"},
        {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": SECRET},
    ],
}
KNOWN = {action.lower() for action in get_all_actions()}


def documents() -> dict[str, dict]:
    return {name: {"Version": "2012-10-17", "Statement": each} for name, each in POLICIES.items()}


def actions(policy: dict) -> list[str]:
    """All actions that a policy allows, stars expanded."""
    expanded = get_expanded_policy(policy)["Statement"]
    return sorted({action for each in expanded for action in each["Action"]})


def tries(s3) -> dict:
    return {
        "read training data": lambda: s3.get_object(Bucket="example-lake", Key="train/03.csv"),
        "write a model": lambda: s3.put_object(
            Bucket="example-lake", Key="models/1", Body=b"model"
        ),
        "read the payroll": lambda: s3.get_object(Bucket="example-lake", Key="payroll/2013.csv"),
        "delete training data": lambda: s3.delete_object(Bucket="example-lake", Key="train/03.csv"),
    }


def outcome(call) -> str:
    try:
        call()
    except ClientError as error:
        return {"AccessDenied": "denied", "AccessDeniedException": "denied"}.get(
            error.response["Error"]["Code"], str(error)
        )
    return "allowed"


@set_initial_no_auth_action_count(0)
def ask(keys: dict) -> dict:
    """From here on the emulator checks who is asking."""
    who = {
        "region_name": "us-east-1",
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": keys["SecretAccessKey"],
    }
    calls = tries(boto3.client("s3", **who))
    return {name: outcome(call) for name, call in calls.items()}


found: dict = {"actions": {name: len(actions(policy)) for name, policy in documents().items()}}
found["typo known"] = "s3:getobjekt" in KNOWN
found["all known"] = all(
    action.lower() in KNOWN for action in actions(documents()["least privilege"])
)

with mock_aws():
    emulator = {
        "region_name": "us-east-1",
        "aws_access_key_id": "emulator",
        "aws_secret_access_key": "emulator",
    }
    s3, secrets, iam = (boto3.client(name, **emulator) for name in ("s3", "secretsmanager", "iam"))
    s3.create_bucket(Bucket="example-lake")
    for key in ("train/03.csv", "payroll/2013.csv"):
        s3.put_object(Bucket="example-lake", Key=key, Body=b"1")
    secrets.create_secret(Name="weather-token", SecretString="first")
    secrets.put_secret_value(SecretId="weather-token", SecretString="second")
    found["rotated"] = {
        stage: secrets.get_secret_value(SecretId="weather-token", VersionStage=stage)[
            "SecretString"
        ]
        for stage in ("AWSCURRENT", "AWSPREVIOUS")
    }
    found["calls"] = {}
    for name, policy in sorted(documents().items(), reverse=True):
        user = name.replace(" ", "-")
        iam.create_user(UserName=user)
        iam.put_user_policy(UserName=user, PolicyName="job", PolicyDocument=json.dumps(policy))
        found["calls"][name] = ask(iam.create_access_key(UserName=user)["AccessKey"])
Path("iam.json").write_text(json.dumps(found))

# %% tags=["topic:cloud-iam"]
iam = finish("iam", start("iam"))
print("actions allowed:", iam["actions"])
print(
    "every action of the small policy exists:",
    iam["all known"],
    "| s3:GetObjekt exists:",
    iam["typo known"],
)
calls = pd.DataFrame(iam["calls"])
calls

# %% [markdown]
# The same three permissions in the other two dialects. Azure: a role assignment at the *scope* of one
# storage container. Google: a *binding* of a role to a service account; this one went through Google's
# own type.

# %%
azure_role = {
    "Name": "flights-late training",
    "AssignableScopes": ["/subscriptions/SUBSCRIPTION/resourceGroups/flights-late"],
    "Actions": [],
    "DataActions": [
        "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
        "Microsoft.KeyVault/vaults/secrets/getSecret/action",
    ],
}


def too_wide(document: object) -> list[str]:
    """Words that should make a reviewer stop: stars, owners, editors."""
    return re.findall(r'"[^"]*(?:\*|roles/owner|roles/editor)[^"]*"', json.dumps(document))


print("Azure: ", too_wide(azure_role) or "nothing too wide")
print("Google:", too_wide(vertex["policy"]) or "nothing too wide")
print(
    "pasted:",
    too_wide({"bindings": [{"role": "roles/editor", "members": ["user:me@example.com"]}]}),
)

# %% [markdown]
# ## A secret in a definition is a secret in five places
#
# The job needs the weather service's token. The quick way is an environment variable in the definition.
# It works, and from then on the token is in the definition, in Git, in the pipeline's history, in the
# console, and in the log of whoever prints it. A scanner in CI is a few lines, if tokens have a prefix:

# %% tags=["topic:cloud-secrets"]
TOKEN = "weather_tok_EXAMPLE0000000000000000"  # not a real one
leaky = json.loads(json.dumps(aws["pipeline"]))
leaky["Steps"][0]["Arguments"]["Environment"] = {"WEATHER_TOKEN": TOKEN}
safe = json.loads(json.dumps(aws["pipeline"]))
safe["Steps"][0]["Arguments"]["Environment"] = {"WEATHER_TOKEN_NAME": "weather-token"}


def leaks(definition: object) -> int:
    """Count what looks like a token of ours."""
    return len(re.findall(r"weather_tok_[A-Za-z0-9]{20,}", json.dumps(definition)))


print("token in the definition:   ", leaks(leaky), "leak")
print("name of a secret in it:    ", leaks(safe), "leaks")
print("all that was built above:  ", leaks([azure, aws, vertex]), "leaks")
print("after a rotation the name gives:", iam["rotated"])

# %% [markdown]
# The definition holds the *name*; the job's identity may read it; the value is fetched at run time. So it
# can be changed without touching a job: the emulator above gave the new value under the same name, and
# kept the old one for jobs that were still running. The services: Azure Key Vault, AWS Secrets Manager,
# Google Secret Manager. Best is no secret at all: identities that get short-lived tokens (managed
# identity, IAM role, workload identity federation).

# %% [markdown]
# ## Traps
#
# - **The endpoint after the demo.** Nothing looks wrong, and it costs every hour. Let a job list
#   endpoints without traffic, every week.
# - **Another region.** Data in one, machines in another: slow, and moving data out costs.
# - **"Latest" in a definition.** Ours has one; find it:

# %%
for name, text in azure["texts"].items():
    for line in text.splitlines():
        if "latest" in line:
            print(name, "|", line.strip())

# %% [markdown]
# - **Milli node hours, seconds, minutes.** Three platforms, three units for "at most". Write the unit
#   into the name of your own variable.
# - **Spot machines without checkpoints.** Cheap, and taken away in the middle. Only for jobs that can
#   go on where they were.
# - **A tutorial of last year.** SageMaker's `Estimator` is version 2, Azure's `azureml-core` is version 1,
#   Google's names have changed. Look at the version first.

# %% [markdown]
# ## In a company
#
# Nobody clicks. Workspaces, identities and budgets come from Terraform or Bicep, reviewed like code;
# people have read access to production, and pipelines have the rest. There are three of everything:
# development, test, production, in separate subscriptions, accounts or projects, because that is where
# permissions and bills end. A platform team gives you a template with tags for the cost report.
#
# ## In the cloud
#
# This whole stage is. What changes when you open an account: the checks above become the first step of
# your CI, then comes `ml_client.jobs.create_or_update(…)`, `pipeline.upsert(…)` and `pipeline.start()`, or
# `PipelineJob(…).submit()`. Do it in an account with a budget alarm, in one region, and delete the resource
# group or project afterwards.

# %% [markdown]
# ## Check yourself
#
# Answer first. Then run the cell.

# %% [markdown]
# ### Question 1
#
# The example price of a machine hour is wrong: it is three times as high. Does serverless still win
# against one machine for 18 hours a day? At which number of questions a month does it lose?

# %%
one_machine = 3 * month["endpoint, 1 machine, 18 hours a day"]
print("serverless still cheaper:", bool(month["serverless, 0.2 s a question"] < one_machine))
print(
    f"break-even at the table's price: {one_machine / 3 / (0.2 * price['serverless second']) / 1e6:.1f} million questions a month"
)

# %% [markdown]
# ### Question 2
#
# The small policy allows `s3:GetObject` on `train/*`. May the job *list* what is in `train/`?

# %%
small = ["s3:GetObject", "s3:PutObject", "secretsmanager:GetSecretValue"]
print("s3:ListBucket allowed:", "s3:ListBucket" in small)

# %% [markdown]
# <details><summary>Why</summary>
#
# No. Listing is an action on the *bucket*, reading one on the *object*. A training script that lists
# first fails with this policy: give it `s3:ListBucket` on the bucket with a condition on the prefix, or a
# list of files.
#
# </details>

# %% [markdown]
# ### Question 3
#
# Which of these would the three SDKs have refused without an account: a wrong word, a machine type that
# does not exist, two steps of one name?

# %%
pd.Series(
    {
        "wrong word": bool(aws["wrong word"] and vertex["wrong word"]),
        "machine type that does not exist": bool(
            aws["machine that does not exist"] or vertex["machine that does not exist"]
        ),
        "two steps of one name": bool(aws["two steps of one name"]),
    },
    name="refused here",
).to_frame()

# %% [markdown]
# ### Question 4
#
# Which call with which policy would have cost most if it had happened at night?

# %%
calls[calls["in a hurry"] != calls["least privilege"]]

# %% [markdown]
# ## Labs
#
# The labs on the three platforms are planned, and need an account. What they build on is here:
# [Git](../labs/s2_git/s2_git.ipynb), because a definition that is not in Git does not exist.

# %% [markdown] tags=["claims"]
# ## Products, checked
#
# | Product | Owner | Licence | Status | Version | Checked |
# |---|---|---|---|---|---|
# | Azure Machine Learning SDK v2 | Microsoft | MIT (SDK), proprietary service | active, release of 2026-10 | azure-ai-ml 1.35.2 | 2026-11 |
# | SageMaker Python SDK | Amazon Web Services | Apache-2.0 (SDK), proprietary service | active, release of 2026-10 | 3.27.0 | 2026-11 |
# | Vertex AI SDK | Google | Apache-2.0 (SDK), proprietary service | active, release of 2026-10; Google's documentation now calls the platform Gemini Enterprise Agent Platform | google-cloud-aiplatform 2.7.0 | 2026-11 |
# | Kubeflow Pipelines SDK | the Kubeflow authors; Kubeflow is a CNCF project, graduated in 2026-07 | Apache-2.0 | active, release of 2026-10 | kfp 2.17.3 | 2026-11 |
# | policy_sentry | Kinnaird McQuade, Salesforce's repository | MIT | active, release of 2026-04 | 0.15.2 | 2026-11 |
# | moto | Steve Pulec, by its metadata; getmoto on GitHub | Apache-2.0 | active, release of 2026-10 | 5.2.5 | 2026-11 |

# %% [markdown]
# ## Further reading
#
# - [Azure ML: CLI and SDK v2](https://learn.microsoft.com/azure/machine-learning/concept-v2)
# - [SageMaker Python SDK](https://sagemaker.readthedocs.io/)
# - [SageMaker AI: Pipelines](https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines.html)
# - [Vertex AI documentation](https://docs.cloud.google.com/vertex-ai/docs)
# - [AWS IAM: security best practices](https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html)
# - [Azure: managed identities](https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/overview)
# - [Google Cloud: workload identity federation](https://docs.cloud.google.com/iam/docs/workload-identity-federation)

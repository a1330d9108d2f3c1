"""Writes the shapes of SageMaker's requests and answers, from botocore's model, for the control plane.

  shapes.py FILE     writes Sources/SageMaker/Shapes.json

Only the operations that imrec serves, and what their members lead to. "others" names all further operations, so that a
refusal can tell one that is not here from one that is nowhere. Python packages: botocore.
A shape: t type (s string, i integer, f float, b boolean, d timestamp, S structure, l list, m map), m members, r
required, e element, k key and v value of a map, n least and x most (length, value or size), p pattern, c choices.
"""
import json
import sys

import botocore.session

OPERATIONS = """CreateTrainingJob DescribeTrainingJob ListTrainingJobs StopTrainingJob DeleteTrainingJob
CreateHyperParameterTuningJob DescribeHyperParameterTuningJob ListHyperParameterTuningJobs StopHyperParameterTuningJob
DeleteHyperParameterTuningJob ListTrainingJobsForHyperParameterTuningJob CreateModel DescribeModel ListModels
DeleteModel CreateTransformJob DescribeTransformJob ListTransformJobs StopTransformJob CreateEndpointConfig
DescribeEndpointConfig
ListEndpointConfigs DeleteEndpointConfig CreateEndpoint DescribeEndpoint ListEndpoints UpdateEndpoint DeleteEndpoint
UpdateEndpointWeightsAndCapacities AddTags ListTags DeleteTags""".split()
# What the model leaves optional since it grew other ways to say it, and this service cannot do without.
REQUIRED = {"CreateTrainingJobRequest": ["AlgorithmSpecification", "ResourceConfig", "StoppingCondition"]}
TYPES = {
    "string": "s", "integer": "i", "long": "i", "float": "f", "double": "f", "boolean": "b", "timestamp": "d",
    "structure": "S", "list": "l", "map": "m",
}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    model = botocore.session.get_session().get_service_model("sagemaker")
    shapes = {}

    def walk(shape):
        if shape.name in shapes:
            return shape.name
        entry = shapes[shape.name] = {"t": TYPES[shape.type_name]}
        facts = shape.metadata
        for key, name in (("n", "min"), ("x", "max"), ("p", "pattern")):
            if name in facts:
                entry[key] = facts[name]
        if facts.get("enum"):
            entry["c"] = facts["enum"]
        if shape.type_name == "structure":
            entry["m"] = {name: walk(member) for name, member in shape.members.items()}
            required = shape.required_members + REQUIRED.get(shape.name, [])
            if required:
                entry["r"] = required
        elif shape.type_name == "list":
            entry["e"] = walk(shape.member)
        elif shape.type_name == "map":
            entry["k"], entry["v"] = walk(shape.key), walk(shape.value)
        return shape.name

    operations = {}
    for name in OPERATIONS:
        operation = model.operation_model(name)
        entry = operations[name] = {"errors": [shape.name for shape in operation.error_shapes]}
        if operation.input_shape:
            entry["input"] = walk(operation.input_shape)
        if operation.output_shape and operation.output_shape.members:
            entry["output"] = walk(operation.output_shape)
    others = sorted(set(model.operation_names) - set(OPERATIONS))
    with open(sys.argv[1], "w") as file:
        json.dump(
            {"operations": operations, "shapes": shapes, "others": others}, file, sort_keys=True, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()

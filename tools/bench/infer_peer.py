"""One runtime with one network, in a process that stays: it measures when it is told to, so loading is not in the time.

    infer_peer.py RUNTIME MODEL --batch N [--threads 2] [--precision fp32|bf16|int8] [--hint latency|throughput]

RUNTIME is onnxruntime, openvino or ncnn; MODEL the folder with model.onnx, model.ncnn.param and model.ncnn.bin, and for
int8 what export_int8.py writes. The first line of stdout is `ready` and the largest difference from the probabilities
that MXNet gave, as a part of the largest of them. Each line of stdin is a number of runs of a batch; each further line
of stdout the seconds that they took together."""
import argparse
import pathlib
import sys
import time

import numpy as np

# By how much the probabilities may be off, as a part of the largest one: a wrong network is off by about 1.
TOLERANCE = {"fp32": 1e-3, "bf16": 0.25, "int8": 0.75}


def onnxruntime_engine(folder, images, threads, precision, _):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    model = {"fp32": "model.onnx", "int8": "model.int8.onnx"}[precision]
    session = onnxruntime.InferenceSession(folder / model, options, providers=["CPUExecutionProvider"])

    def run(count):
        for _ in range(count):
            found = session.run(None, {"data": images})
        return found[0]
    return run


def openvino_engine(folder, images, threads, precision, hint):
    import openvino
    core = openvino.Core()
    model = core.read_model(folder / ("model.int8.xml" if precision == "int8" else "model.onnx"))
    model.reshape(images.shape)
    # For int8, what is not quantized has the type that OpenVINO takes by default: bf16 where the processor has it.
    held = {"fp32": {"INFERENCE_PRECISION_HINT": "f32"}, "bf16": {"INFERENCE_PRECISION_HINT": "bf16"}, "int8": {}}
    compiled = core.compile_model(model, "CPU", {
        **held[precision], "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": hint.upper()})
    # As many requests as streams: with `throughput` that is one request a core.
    parallel = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS") if hint == "throughput" else 1
    requests = [compiled.create_infer_request() for _ in range(parallel)]
    for request in requests:
        request.set_input_tensor(openvino.Tensor(images, shared_memory=True))

    def run(count):
        busy = []
        for index in range(count):
            request = requests[index % parallel]
            if len(busy) == parallel:
                busy.pop(0).wait()
            request.start_async()
            busy.append(request)
        for request in busy:
            request.wait()
        return requests[0].get_output_tensor(0).data
    return run


def ncnn_engine(folder, images, threads, precision, _):
    import ncnn
    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_packing_layout = net.opt.use_winograd_convolution = net.opt.use_sgemm_convolution = True
    for option in ("fp16_storage", "fp16_packed", "fp16_arithmetic", "vulkan_compute"):
        setattr(net.opt, "use_" + option, False)
    net.opt.use_bf16_storage = net.opt.use_bf16_packed = {"fp32": False, "bf16": True}[precision]
    net.load_param(str(folder / "model.ncnn.param"))
    net.load_model(str(folder / "model.ncnn.bin"))
    inputs = [ncnn.Mat(image).clone() for image in images]
    last = net.output_names()[-1]

    def run(count):
        for _ in range(count):
            found = []
            for image in inputs:
                extractor = net.create_extractor()
                extractor.input("data", image)
                # A copy: what was extracted does not outlive its extractor.
                found.append(np.array(extractor.extract(last)[1]))
        return np.stack(found)
    return run


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("runtime", choices=["onnxruntime", "openvino", "ncnn"])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=list(TOLERANCE), default="fp32")
    parser.add_argument("--hint", choices=["latency", "throughput"], default="latency")
    found = parser.parse_args()
    known = np.load(found.model / "expected.npz")
    repeated = np.arange(found.batch) % len(known["images"])
    images, expected = np.ascontiguousarray(known["images"][repeated]), known["probabilities"][repeated]
    make = {"onnxruntime": onnxruntime_engine, "openvino": openvino_engine, "ncnn": ncnn_engine}[found.runtime]
    run = make(found.model, images, found.threads, found.precision, found.hint)
    difference = np.abs(run(2) - expected).max() / expected.max()
    if not difference <= TOLERANCE[found.precision]:
        sys.exit(f"{found.runtime}: probabilities differ from MXNet's by {difference} of the largest")
    print(f"ready {difference:.2g}", flush=True)
    for line in sys.stdin:
        begun = time.perf_counter()
        run(int(line))
        print(f"{time.perf_counter() - begun:.6f}", flush=True)


main()

"""One runtime with one network, in a process that stays: it measures when it is told to, so loading is not in the time.

    infer_peer.py RUNTIME MODEL --batch N [--threads 2] [--hint latency|throughput]

RUNTIME is onnxruntime, openvino or ncnn; MODEL the folder with model.onnx, model.ncnn.param and model.ncnn.bin.
Each line of stdin is a number of runs of a batch; each line of stdout the seconds that they took together."""
import argparse
import pathlib
import sys
import time

import numpy as np


def onnxruntime_engine(folder, images, threads, _):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])

    def run(count):
        for _ in range(count):
            found = session.run(None, {"data": images})
        return found[0]
    return run


def openvino_engine(folder, images, threads, hint):
    import openvino
    core = openvino.Core()
    model = core.read_model(folder / "model.onnx")
    model.reshape(images.shape)
    compiled = core.compile_model(model, "CPU", {
        "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": hint.upper()})
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


def ncnn_engine(folder, images, threads, _):
    import ncnn
    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_packing_layout = net.opt.use_winograd_convolution = net.opt.use_sgemm_convolution = True
    for option in ("bf16_storage", "bf16_packed", "fp16_storage", "fp16_packed", "fp16_arithmetic", "vulkan_compute"):
        setattr(net.opt, "use_" + option, False)
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
    parser.add_argument("--hint", choices=["latency", "throughput"], default="latency")
    found = parser.parse_args()
    known = np.load(found.model / "expected.npz")
    repeated = np.arange(found.batch) % len(known["images"])
    images, expected = np.ascontiguousarray(known["images"][repeated]), known["probabilities"][repeated]
    make = {"onnxruntime": onnxruntime_engine, "openvino": openvino_engine, "ncnn": ncnn_engine}[found.runtime]
    run = make(found.model, images, found.threads, found.hint)
    difference = np.abs(run(2) - expected).max()
    if not difference <= 1e-4:
        sys.exit(f"{found.runtime}: probabilities differ from MXNet's by {difference}")
    print(f"differs by {difference:.2g}", file=sys.stderr)
    print("ready", flush=True)
    for line in sys.stdin:
        begun = time.perf_counter()
        run(int(line))
        print(f"{time.perf_counter() - begun:.6f}", flush=True)


main()

"""Quantizes a network after training, with what its runtimes bring along, calibrated on the pictures of expected.npz.

    export_int8.py MODEL     reads model.onnx; writes model.int8.onnx for ONNX Runtime and model.int8.xml for OpenVINO

ONNX Runtime: `quantize_static` as its manual advises for x86: QDQ, uint8 activations, int8 weights, a scale for each
channel. BatchNorms that follow no convolution stay as they are: it runs them in single precision in any case, which is
faster without more steps around them. OpenVINO: `nncf.quantize` as it comes."""
import logging
import pathlib
import sys
import tempfile

import nncf
import numpy as np
import onnxruntime.quantization as quantization
import openvino
from onnxruntime.quantization.shape_inference import quant_pre_process

QUANTIZED = ["Conv", "Gemm", "Add", "MaxPool", "GlobalAveragePool"]


class Pictures(quantization.CalibrationDataReader):
    def __init__(self, images):
        self.left = iter(images)

    def get_next(self):
        image = next(self.left, None)
        return None if image is None else {"data": image[None]}


def for_onnxruntime(folder, images):
    with tempfile.TemporaryDirectory() as scratch:
        prepared = pathlib.Path(scratch) / "prepared.onnx"
        quant_pre_process(str(folder / "model.onnx"), str(prepared), skip_symbolic_shape=True)
        quantization.quantize_static(
            str(prepared), str(folder / "model.int8.onnx"), Pictures(images),
            quant_format=quantization.QuantFormat.QDQ, per_channel=True, op_types_to_quantize=QUANTIZED,
            activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8)


def for_openvino(folder, images):
    model = openvino.Core().read_model(folder / "model.onnx")
    model.reshape([-1, *images.shape[1:]])
    quantized = nncf.quantize(model, nncf.Dataset([image[None] for image in images]), subset_size=len(images))
    openvino.save_model(quantized, folder / "model.int8.xml", compress_to_fp16=False)


def main():
    folder = pathlib.Path(sys.argv[1])
    images = np.load(folder / "expected.npz")["images"]
    logging.disable(logging.WARNING)
    for_onnxruntime(folder, images)
    for_openvino(folder, images)


if __name__ == "__main__":
    main()

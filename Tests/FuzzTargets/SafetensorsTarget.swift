import Models

/// The weights of a network of one unit a stage.
private func weights(_ type: String, byteCount: Int) -> [UInt8] {
  var shapes: [(name: String, shape: [Int])] = []
  func layer(_ convolution: String, _ norm: String, _ shape: [Int]) {
    shapes.append((convolution + ".weight", shape))
    for part in ["weight", "bias", "running_mean", "running_var"] {
      shapes.append(("\(norm).\(part)", [shape[0]]))
    }
  }
  layer("conv1", "bn1", [1, 3, 1, 1])
  for stage in 1...4 {
    layer("layer\(stage).0.conv1", "layer\(stage).0.bn1", [1, 1, 1, 1])
    layer("layer\(stage).0.conv2", "layer\(stage).0.bn2", [1, 1, 1, 1])
    if stage > 1 { layer("layer\(stage).0.downsample.0", "layer\(stage).0.downsample.1", [1, 1, 1, 1]) }
  }
  shapes += [("fc.weight", [2, 1]), ("fc.bias", [2])]
  var (fields, end): ([String], Int) = ([], 0)
  for (name, shape) in shapes {
    let size = byteCount * shape.reduce(1, *)
    fields.append(
      #""\#(name)":{"dtype":"\#(type)","shape":\#(shape),"data_offsets":[\#(end),\#(end + size)]}"#)
    end += size
  }
  let header = Array("{\(fields.joined(separator: ","))}".utf8)
  return (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) } + header
    + [UInt8](repeating: 0x3C, count: end)
}

let safetensorsFiles = FuzzTarget(
  "safetensors",
  words: [
    "dtype", "shape", "data_offsets", "__metadata__", "F64", "F16", "I64", "num_batches_tracked",
    "conv3.weight",
    "9223372036854775807", "-1", "[[[[[[[[",
  ],
  seeds: { [weights("F32", byteCount: 4), weights("BF16", byteCount: 2)] },
  check: { input, scratch in
    let path = try scratch.file(input, "input.safetensors")
    let model: Model
    do throws(ModelError) {
      model = try Model(path, inputShape: [3, 32, 32])
    } catch {
      return try requireSentence(error)
    }
    try require(
      Set(model.graph.parameters.map(\.name)).isSuperset(of: model.parameters.names),
      "no array is read that the network does not use")
    for parameter in model.graph.parameters {
      guard let values = try? model.parameters.values(of: parameter.name) else {
        throw BrokenPromise(description: "every parameter can be read")
      }
      try require(values.count == parameter.shape.reduce(1, *), "every parameter has its numbers")
    }
  })

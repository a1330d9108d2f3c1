import TestSupport

/// A `.safetensors` file of random numbers, named as torchvision's: one unit a stage, of few channels.
func torchvisionFile(classes: Int = 3) -> [UInt8] {
  var random = SplitMix64(seed: 90)
  var (fields, data): ([String], [UInt8]) = ([], [])
  func append(_ name: String, _ shape: [Int], from low: Float = -1, to high: Float = 1) {
    let start = data.count
    for _ in 0..<shape.reduce(1, *) {
      let bits = Float.random(in: low...high, using: &random).bitPattern
      data += (0..<4).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) }
    }
    fields.append(#""\#(name)":{"dtype":"F32","shape":\#(shape),"data_offsets":[\#(start),\#(data.count)]}"#)
  }
  func layer(_ convolution: String, _ norm: String, _ shape: [Int]) {
    append(convolution + ".weight", shape)
    append(norm + ".weight", [shape[0]])
    append(norm + ".bias", [shape[0]])
    append(norm + ".running_mean", [shape[0]])
    append(norm + ".running_var", [shape[0]], from: 0.5, to: 2)
  }
  layer("conv1", "bn1", [2, 3, 7, 7])
  for stage in 1...4 {
    let (input, width) = stage == 1 ? (2, 2) : (1 << (stage - 1), 1 << stage)
    layer("layer\(stage).0.conv1", "layer\(stage).0.bn1", [width, input, 3, 3])
    layer("layer\(stage).0.conv2", "layer\(stage).0.bn2", [width, width, 3, 3])
    if stage > 1 {
      layer("layer\(stage).0.downsample.0", "layer\(stage).0.downsample.1", [width, input, 1, 1])
    }
  }
  append("fc.weight", [classes, 16])
  append("fc.bias", [classes])
  let header = Array("{\(fields.joined(separator: ","))}".utf8)
  return (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) } + header + data
}

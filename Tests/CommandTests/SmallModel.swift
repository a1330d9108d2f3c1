import Models
import TestSupport

/// Writes a ResNet of depth 20 for images of 28 x 28, of random numbers, as a model's folder.
func writeSmallModel(_ folder: String, classes: Int = 5) throws {
  let network = try ResNet(depth: 20, classCount: classes, inputShape: [3, 28, 28])
  var generator = SplitMix64(seed: 20)
  let parameters = Parameters(randomFor: try network.graph, inputVariance: 21675, using: &generator)
  writeScratchFile(folder + "/small-symbol.json", network.symbol.json.utf8)
  writeScratchFile(
    folder + "/model-shapes.json", "[{\"name\": \"data\", \"shape\": [1, 3, 28, 28]}]".utf8)
  writeScratchFile(folder + "/classes.txt", (0..<classes).map { "class \($0)\n" }.joined().utf8)
  let all = try network.graph.parameters
  var writer = try ParameterWriter(folder + "/small-0003.params", count: all.count)
  for parameter in all {
    let isMoving = parameter.role == .mean || parameter.role == .variance
    let values = try parameters.values(of: parameter.name)
    try writer.append(
      (isMoving ? "aux:" : "arg:") + parameter.name, shape: parameter.shape, values.span)
  }
  try writer.publish()
}

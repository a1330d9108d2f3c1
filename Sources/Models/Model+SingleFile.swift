import Files

/// Models of one file, with `classes.txt` and `preprocess.json` beside it.
extension Model {
  /// Weights of torchvision's ResNets: the network follows from their names and shapes.
  init(torchvision path: String, inputShape: [Int]?) throws(ModelError) {
    parameters = Parameters(try SafetensorsFile.open(try openFile(path), label: path))
    do {
      let symbol = try TorchvisionResNet(parameters).symbol
      graph = try Graph(symbol, inputShape: inputShape ?? Self.assumedShape)
      try graph.check(parameters)
      let unused = symbol.unusedNames(in: parameters)
      warnings = unused.isEmpty ? [] : [Self.warning(ofUnused: unused, in: path)]
    } catch { throw ModelError("\(path): \(error)") }
    self.path = path
    format = .torchvision
    shapeSource = inputShape == nil ? .assumed : .caller
    companionFolder = folderName(path)
    (classes, preset) = try ModelFiles.companions(in: companionFolder)
    epoch = 0
  }

  /// A network and its weights, as PyTorch exports them.
  init(onnx path: String, inputShape: [Int]?) throws(ModelError) {
    let file = try openFile(path)
    let network = try ONNXNetwork(try ONNXFile(file, label: path), label: path)
    let open = zip(network.inputShape, Self.assumedShape).map { $0 ?? $1 }
    graph = try Graph(network.symbol, inputShape: inputShape ?? open)
    parameters = Parameters(ArrayFile(file, label: path, entries: network.entries))
    do { try graph.check(parameters) } catch { throw ModelError("\(path): \(error)") }
    let isAssumed = inputShape == nil && network.inputShape.contains(nil)
    shapeSource = inputShape != nil ? .caller : isAssumed ? .assumed : .file
    var warnings: [String] = []
    if isAssumed {
      let shape = graph.inputShape.map(String.init).joined(separator: ",")
      warnings.append("\(path): it leaves the size of its images open: \(shape) is assumed")
    }
    let unused = network.unusedNames
    if !unused.isEmpty { warnings.append(Self.warning(ofUnused: unused, in: path)) }
    self.warnings = warnings
    self.path = path
    format = network.normalizesImages ? .mxnet : .torchvision
    companionFolder = folderName(path)
    (classes, preset) = try ModelFiles.companions(in: companionFolder)
    epoch = 0
  }
}

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
}

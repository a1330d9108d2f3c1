import Files
import Foundation

/// Models of one file, with `classes.txt` and `preprocess.json` beside it.
extension Model {
  /// Weights of torchvision's ResNets: the network follows from their names and shapes.
  init(torchvision path: String, inputShape: [Int]?) throws(ModelError) {
    let file = try openFile(path)
    let entries = try SafetensorsFile.entries(of: file, label: path)
    companionFolder = folderName(path)
    (classes, preset) = try ModelFiles.companions(in: companionFolder)
    let told = try Self.presetShape(preset, in: companionFolder)
    let isHuggingFace: Bool
    do throws(ModelError) {
      let names = try TorchvisionNames(Array(entries.keys))
      var renamed: [String: ArrayFile.Entry] = [:]
      for (name, entry) in entries {
        guard renamed.updateValue(entry, forKey: names.torchvision(name)) == nil else {
          throw ModelError("two of its arrays are torchvision's \(shown(names.torchvision(name)))")
        }
      }
      parameters = Parameters(ArrayFile(file, label: path, entries: renamed))
      warnings = names.note.map { ["\(path): \($0)"] } ?? []
      isHuggingFace = names.isHuggingFace
      let network = try TorchvisionResNet(parameters)
      let symbol = try network.symbol
      let shape: [Int]
      (shape, shapeSource) = try Self.imageShape(
        [network.channels, nil, nil], asked: inputShape, told: told)
      graph = try Graph(symbol, inputShape: shape)
      try graph.check(parameters)
    } catch { throw ModelError("\(path): \(error)") }
    if isHuggingFace { try Self.checkHuggingFace(companionFolder) }
    self.path = path
    format = .torchvision
    epoch = 0
  }

  /// A network and its weights, as PyTorch exports them.
  init(onnx path: String, inputShape: [Int]?) throws(ModelError) {
    let file = try openFile(path)
    companionFolder = folderName(path)
    (classes, preset) = try ModelFiles.companions(in: companionFolder)
    let contents = try ONNXFile(file, label: path)
    let known = try contents.imageShape(label: path)
    let told = try Self.presetShape(preset, in: companionFolder)
    let shape: [Int]
    do { (shape, shapeSource) = try Self.imageShape(known, asked: inputShape, told: told) } catch {
      throw ModelError("\(path): \(error)")
    }
    let network = try ONNXNetwork(contents, label: path, inputShape: shape)
    graph = try Graph(network.symbol, inputShape: shape)
    parameters = Parameters(ArrayFile(file, label: path, entries: network.entries))
    do { try graph.check(parameters) } catch { throw ModelError("\(path): \(error)") }
    var warnings: [String] = []
    if shapeSource == .assumed {
      warnings.append("\(path): it leaves the size of its images open: \(commaText(shape)) is assumed")
    }
    let unused = network.unusedNames
    if !unused.isEmpty { warnings.append(Self.warning(ofUnused: unused, in: path)) }
    self.warnings = warnings
    self.path = path
    format = network.normalizesImages ? .mxnet : .torchvision
    epoch = 0
  }

  /// The shape of the images where a file says some of it.
  ///
  /// - Parameters:
  ///   - known: channels, height, width as the file has them; nil of each that it leaves open.
  ///   - asked: the caller's.
  ///   - told: that of `preprocess.json`.
  /// - Throws: where the caller's is not the file's.
  private static func imageShape(
    _ known: [Int?], asked: [Int]?, told: [Int]?
  ) throws(ModelError) -> (shape: [Int], source: ShapeSource) {
    if let asked {
      guard asked.count == known.count, zip(asked, known).allSatisfy({ $1 == nil || $0 == $1 }) else {
        let own = known.map { $0.map(String.init) ?? "any" }.joined(separator: ",")
        throw ModelError("it takes images of \(own); \(commaText(asked)) is asked for")
      }
      return (asked, .caller)
    }
    if !known.contains(nil) { return (known.compactMap { $0 }, .file) }
    let shape = zip(known, told ?? assumedShape).map { $0 ?? $1 }
    return (shape, told == nil ? .assumed : .preset)
  }

  /// What `preprocess.json` says of the shape; nil where it says nothing.
  static func presetShape(_ preset: [UInt8]?, in folder: String) throws(ModelError) -> [Int]? {
    struct Preset: Decodable { let shape: [Int]? }
    // What is no JSON at all is for those who want all of it.
    guard let preset, FileKind(preset.span) == .json else { return nil }
    let shape: [Int]?
    do { shape = try JSONDecoder().decode(Preset.self, from: Data(preset)).shape } catch {
      throw ModelError("\(join(folder, ModelFiles.presetName)): \(sentence(error))")
    }
    guard shape == nil || shape?.count == 3 else {
      throw ModelError(
        "\(join(folder, ModelFiles.presetName)): shape has \(shape?.count ?? 0) numbers; channels, height and width are expected"
      )
    }
    return shape
  }

  /// Whether the `config.json` beside Hugging Face's weights, where there is one, is of the network that torchvision has.
  private static func checkHuggingFace(_ folder: String) throws(ModelError) {
    struct Config: Decodable {
      let stridesInFirst: Bool?, stridesInFirstStage: Bool?
      let activation: String?

      enum CodingKeys: String, CodingKey {
        case stridesInFirst = "downsample_in_bottleneck"
        case stridesInFirstStage = "downsample_in_first_stage"
        case activation = "hidden_act"
      }
    }
    let path = join(folder, "config.json")
    guard FileStamp(path: path) != nil else { return }
    let config: Config
    do {
      config = try JSONDecoder().decode(
        Config.self, from: Data(try readFile(path, limit: Symbol.largestByteCount).bytes))
    } catch let error as FileError {
      throw ModelError(error)
    } catch { throw ModelError("\(path): \(sentence(error))") }
    var others: [String] = []
    if config.stridesInFirst == true { others.append("downsample_in_bottleneck is true") }
    if config.stridesInFirstStage == true { others.append("downsample_in_first_stage is true") }
    if let name = config.activation, name != "relu" { others.append("hidden_act is \(shown(name))") }
    if !others.isEmpty {
      throw ModelError(
        "\(path): \(others.joined(separator: ", ")), as in no ResNet of torchvision; export the network as ONNX, which says what is computed"
      )
    }
  }
}

/// "3,224,224"
private func commaText(_ shape: [Int]) -> String { shape.map(String.init).joined(separator: ",") }

import Encodings
import Files

/// A model as its files describe it: the network, its parameters, and the files beside them.
///
/// A model is a folder, or a `model.tar.gz` as SageMaker makes it, with `*-symbol.json`, `*-NNNN.params` and optionally
/// `model-shapes.json`, `classes.txt`, `preprocess.json` and `quantization.json`. Two kinds of single files are read, too, optionally with
/// `classes.txt` and `preprocess.json` beside them: a `.safetensors` file of one of torchvision's ResNets, whose network
/// follows from the names and shapes of its arrays, and an `.onnx` file of a ResNet. A file's kind follows from its bytes,
/// not from its name.
public struct Model: Sendable {
  /// Where the shape of the images comes from.
  public enum ShapeSource: Hashable, Sendable {
    /// The `inputShape` of the caller.
    case caller
    /// `model-shapes.json`.
    case shapesFile
    /// The `__shape__` of the symbol's variable `data`.
    case symbol
    /// The input of an ONNX graph.
    case file
    /// `preprocess.json`.
    case preset
    /// No file says it: (3, 224, 224), the default of SageMaker's algorithm.
    case assumed
  }
  /// Which framework trained the model, which decides the preprocessing where no `preprocess.json` does.
  public enum Format: Hashable, Sendable {
    /// MXNet and SageMaker; also an ONNX graph that begins with a BatchNorm of the image, as their networks do. They take
    /// pixels as they are, 0...255.
    case mxnet
    /// torchvision's ResNets for ImageNet, and every other ONNX graph. They take the central 224 x 224 pixels of an image
    /// whose shorter side is 256, normalized by ImageNet's mean and standard deviation.
    case torchvision
  }
  /// As it was given to `init`.
  public let path: String
  /// Where `classes.txt` and `preprocess.json` belong, for messages: the model's folder, the archive, or the folder of a
  /// file of weights.
  public let companionFolder: String
  /// Which framework trained the model.
  public let format: Format
  /// The network as MXNet writes it.
  public let symbol: Symbol
  /// The network, which `parameters` are checked against.
  public let graph: Graph
  /// Read on demand, from the file or from an unnamed copy of the file in an archive.
  public let parameters: Parameters
  /// The number of the `.params` file; 0 where there is none.
  public let epoch: Int
  /// Where the shape of the images comes from.
  public let shapeSource: ShapeSource
  /// The bytes of `classes.txt` and `preprocess.json`; nil where there are none.
  public let classes: [UInt8]?, preset: [UInt8]?
  /// What `quantization.json` says; nil: the model is not quantized.
  public let quantization: Quantization?
  /// What is odd but does no harm, such as parameters that no node reads; a sentence each.
  public let warnings: [String]

  /// Reads a model.
  ///
  /// - Parameters:
  ///   - path: a folder; a tar archive, compressed by gzip or not; or a `.safetensors` or `.onnx` file.
  ///   - epoch: the number of the `.params` file; nil: the highest there is.
  ///   - inputShape: channels, height, width; an ONNX graph of images of another shape is refused.
  ///   - limit: an archive that unpacks to more bytes is refused.
  /// - Throws: where a file cannot be read or is invalid, with its path and the place in it.
  /// - Complexity: reads the symbol and the directory of the parameters; of an archive, all of it.
  public init(
    _ path: String, epoch: Int? = nil, inputShape: [Int]? = nil, limit: Int = Model.standardLimit
  ) throws(ModelError) {
    if isFolder(path) {
      self = try Model(try CheckpointFiles(folder: path, epoch: epoch), path: path, inputShape: inputShape)
      return
    }
    switch try Self.kind(ofFile: path) {
    case .safetensors: self = try Model(torchvision: path, inputShape: inputShape)
    case .onnx: self = try Model(onnx: path, inputShape: inputShape)
    default:
      let files = try CheckpointFiles(archive: path, epoch: epoch, limit: limit)
      self = try Model(files, path: path, inputShape: inputShape)
    }
  }

  /// `.safetensors`, `.onnx`, `.tar` or `.gzip`: as the file's bytes say, or its name where its bytes say nothing.
  private static func kind(ofFile path: String) throws(ModelError) -> FileKind {
    let start: [UInt8]
    do { start = try readStart(of: path, byteCount: 512) } catch { throw ModelError(error) }
    let named: FileKind? =
      path.hasByteSuffix(".safetensors") ? .safetensors : path.hasByteSuffix(".onnx") ? .onnx : nil
    let known: [FileKind] = [.safetensors, .onnx, .tar, .gzip]
    let expected = named?.name ?? "a model's folder, its tar archive, a .safetensors or an .onnx file"
    guard let kind = FileKind(start.span) ?? named else {
      throw ModelError(
        "\(path): this is not a known kind of model (it begins with \(spacedHex(start.span, limit: 8))); \(expected) is expected"
      )
    }
    if known.contains(kind) { return kind }
    if [.parameters, .symbol].contains(kind) {
      throw ModelError(
        "\(path): this is \(kind), a part of a model; its folder, \(folderName(path)), with both *-symbol.json and "
          + "*-NNNN.params in it, is expected")
    }
    throw ModelError("\(path): \(kind.sentence(expected: expected))")
  }

  private init(_ files: CheckpointFiles, path: String, inputShape: [Int]?) throws(ModelError) {
    let symbol = try Symbol(json: files.symbol.bytes, label: files.symbol.path)
    var warnings: [String] = []
    if let inputShape {
      (graph, shapeSource) = (try Graph(symbol, inputShape: inputShape), .caller)
    } else if let shapes = files.shapes {
      (graph, shapeSource) = (try Graph(symbol, inputShape: try inputShapeOf(shapes)), .shapesFile)
    } else if let shape = symbol.inputShape {
      (graph, shapeSource) = (try Graph(symbol, inputShape: shape), .symbol)
    } else if let shape = try Self.presetShape(files.preset, in: path) {
      (graph, shapeSource) = (try Graph(symbol, inputShape: shape), .preset)
    } else {
      (graph, shapeSource) = (try Graph(symbol, inputShape: Self.assumedShape), .assumed)
      warnings.append("there is no model-shapes.json: images of 3,224,224 are assumed")
    }
    do { try graph.check(files.parameters) } catch { throw ModelError("\(files.parametersPath): \(error)") }
    if !files.strays.isEmpty {
      warnings.append("\(path): no *-symbol.json belongs to \(shortList(files.strays.map(shown))); ignored")
    }
    let unused = symbol.unusedNames(in: files.parameters)
    if !unused.isEmpty { warnings.append(Self.warning(ofUnused: unused, in: files.parametersPath)) }
    self.path = path
    companionFolder = path
    format = .mxnet
    self.symbol = symbol
    let graph = graph
    quantization = try files.quantization.map { (file) throws(ModelError) in
      try Quantization(json: file.bytes, for: graph, label: file.path)
    }
    parameters = files.parameters
    epoch = files.epoch
    classes = files.classes
    preset = files.preset
    self.warnings = warnings
  }

  static func warning(ofUnused names: [String], in path: String) -> String {
    "\(path): \(names.count) parameters belong to no node: \(shortList(names.map(shown)))"
  }

  /// What SageMaker's algorithm and torchvision take by default.
  static let assumedShape = [3, 224, 224]

  /// The default of what an archive may unpack to: 8 GiB.
  public static let standardLimit = 8 << 30
}

/// The shape of the images in `model-shapes.json`: `[{"name": "data", "shape": [batch, channels, height, width]}]`. Its
/// batch size is ignored.
private func inputShapeOf(_ file: CheckpointFiles.SmallFile) throws(ModelError) -> [Int] {
  struct Input: Decodable {
    let name: String
    let shape: [Int]
  }
  let inputs: [Input]
  do throws(JSONError) { inputs = try JSON.decode([Input].self, from: file.bytes) } catch {
    throw ModelError("\(file.path): \(error)")
  }
  let images = inputs.count == 1 ? inputs : inputs.filter { $0.name == "data" }
  guard images.count == 1, let input = images.first else {
    throw ModelError(
      inputs.isEmpty
        ? "\(file.path): the list is empty; the input data is expected"
        : "\(file.path): the inputs are \(shortList(inputs.map { shown($0.name) })); one, or one named data, is expected"
    )
  }
  guard input.shape.count == 4 else {
    throw ModelError(
      "\(file.path): the shape of \(shown(input.name)) is \(input.shape.prefix(8)); [batch, channels, height, width] is expected"
    )
  }
  return Array(input.shape.dropFirst())
}

/// Models of one file, with `classes.txt` and `preprocess.json` beside it.
extension Model {
  /// Weights of torchvision's ResNets: the network follows from their names and shapes.
  init(torchvision path: String, inputShape: [Int]?) throws(ModelError) {
    let file = try openFile(path)
    let entries = try SafetensorsFile.entries(of: file, label: path)
    companionFolder = folderName(path)
    (classes, preset) = try CheckpointFiles.companions(in: companionFolder)
    let told = try Self.presetShape(preset, in: companionFolder)
    let isHuggingFace: Bool
    do throws(ModelError) {
      let names = try TorchvisionNames(Array(entries.keys))
      var renamed: [String: ArrayFile.Entry] = [:]
      for (name, entry) in entries {
        guard renamed.updateValue(entry, forKey: names.torchvision(name)) == nil else {
          throw ModelError("two of its arrays have torchvision's name \(shown(names.torchvision(name)))")
        }
      }
      parameters = Parameters(ArrayFile(file, label: path, entries: renamed))
      warnings = names.note.map { ["\(path): \($0)"] } ?? []
      isHuggingFace = names.isHuggingFace
      let network = try TorchvisionResNet(parameters)
      symbol = try network.symbol
      let shape: [Int]
      (shape, shapeSource) = try Self.imageShape(
        [network.channels, nil, nil], asked: inputShape, told: told)
      graph = try Graph(symbol, inputShape: shape)
      try graph.check(parameters)
    } catch { throw ModelError("\(path): \(error)") }
    if isHuggingFace { try Self.checkHuggingFace(companionFolder) }
    quantization = nil
    self.path = path
    format = .torchvision
    epoch = 0
  }

  /// An ONNX graph and its weights, as PyTorch exports them.
  init(onnx path: String, inputShape: [Int]?) throws(ModelError) {
    let file = try openFile(path)
    companionFolder = folderName(path)
    (classes, preset) = try CheckpointFiles.companions(in: companionFolder)
    let contents = try ONNXFile(file, label: path)
    let known = try contents.imageShape(label: path)
    let told = try Self.presetShape(preset, in: companionFolder)
    let shape: [Int]
    do { (shape, shapeSource) = try Self.imageShape(known, asked: inputShape, told: told) } catch {
      throw ModelError("\(path): \(error)")
    }
    let network = try ONNXNetwork(contents, label: path, inputShape: shape)
    symbol = network.symbol
    quantization = nil
    graph = try Graph(symbol, inputShape: shape)
    parameters = Parameters(ArrayFile(file, label: path, entries: network.entries))
    do { try graph.check(parameters) } catch { throw ModelError("\(path): \(error)") }
    var warnings: [String] = []
    if shapeSource == .assumed {
      warnings.append("\(path): it does not fix the shape of its images: \(commaText(shape)) is assumed")
    }
    let unused = network.unusedNames
    if !unused.isEmpty { warnings.append(Self.warning(ofUnused: unused, in: path)) }
    self.warnings = warnings
    self.path = path
    format = network.normalizesImages ? .mxnet : .torchvision
    epoch = 0
  }

  /// The shape of the images where a file fixes some of it.
  ///
  /// - Parameters:
  ///   - known: channels, height, width as the file has them; nil for each that it leaves open.
  ///   - asked: the caller's shape.
  ///   - told: the shape in `preprocess.json`.
  /// - Throws: where the caller's shape contradicts the file's.
  private static func imageShape(
    _ known: [Int?], asked: [Int]?, told: [Int]?
  ) throws(ModelError) -> (shape: [Int], source: ShapeSource) {
    if let asked {
      guard asked.count == known.count, zip(asked, known).allSatisfy({ $1 == nil || $0 == $1 }) else {
        let own = known.map { $0.map(String.init) ?? "any" }.joined(separator: ",")
        throw ModelError("it takes images of \(own), not of \(commaText(asked))")
      }
      return (asked, .caller)
    }
    if !known.contains(nil) { return (known.compactMap { $0 }, .file) }
    let shape = zip(known, told ?? assumedShape).map { $0 ?? $1 }
    return (shape, told == nil ? .assumed : .preset)
  }

  /// The shape in `preprocess.json`; nil where it has none.
  static func presetShape(_ preset: [UInt8]?, in folder: String) throws(ModelError) -> [Int]? {
    struct Preset: Decodable { let shape: [Int]? }
    // A file that is not JSON at all is reported by whoever reads the whole preset.
    guard let preset, FileKind(preset.span) == .json else { return nil }
    let shape: [Int]?
    do throws(JSONError) { shape = try JSON.decode(Preset.self, from: preset).shape } catch {
      throw ModelError("\(join(folder, CheckpointFiles.presetName)): \(error)")
    }
    guard shape == nil || shape?.count == 3 else {
      throw ModelError(
        "\(join(folder, CheckpointFiles.presetName)): shape has \(shape?.count ?? 0) numbers; channels, height and width are expected"
      )
    }
    return shape
  }

  /// Checks that the `config.json` beside Hugging Face's weights, if there is one, describes a network of torchvision's.
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
      config = try JSON.decode(Config.self, from: readFile(path, limit: Symbol.largestByteCount).bytes)
    } catch let error as FileError {
      throw ModelError(error)
    } catch { throw ModelError("\(path): \(error)") }
    var others: [String] = []
    if config.stridesInFirst == true { others.append("downsample_in_bottleneck is true") }
    if config.stridesInFirstStage == true { others.append("downsample_in_first_stage is true") }
    if let name = config.activation, name != "relu" { others.append("hidden_act is \(shown(name))") }
    if !others.isEmpty {
      throw ModelError(
        "\(path): \(others.joined(separator: ", ")), as in no ResNet of torchvision; \(TorchvisionResNet.remedy)"
      )
    }
  }
}

/// "3,224,224"
private func commaText(_ shape: [Int]) -> String { shape.map(String.init).joined(separator: ",") }

/// What is wrong with a model, in a sentence: what, where (file, byte offset, node, attribute), what was expected.
public struct ModelError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The sentence.
  public let description: String

  /// - Parameter description: may quote names from a file; control characters are escaped, which a terminal would obey.
  public init(_ description: String) {
    guard description.unicodeScalars.contains(where: Self.isControl) else {
      self.description = description
      return
    }
    self.description = description.unicodeScalars.reduce(into: "") { text, scalar in
      text += Self.isControl(scalar) ? scalar.escaped(asASCII: true) : String(scalar)
    }
  }

  init(_ error: FileError) { self.init(error.description) }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
  }
}

/// A name from a file, for a message; a long one is cut short.
func shown(_ name: String) -> String {
  name.utf8.count <= 120 ? name : String(name.prefix(100)) + "..."
}

/// A shape as Python writes it: (3, 224, 224).
func shown(_ shape: [Int]) -> String {
  shape.count == 1 ? "(\(shape[0]),)" : "(" + shape.map(String.init).joined(separator: ", ") + ")"
}

/// The product of counts from a file; nil where it does not fit in an `Int`.
func checkedProduct(_ factors: some Sequence<Int>) -> Int? {
  var product = 1
  for factor in factors {
    let (next, overflow) = product.multipliedReportingOverflow(by: factor)
    if overflow { return nil }
    product = next
  }
  return product
}

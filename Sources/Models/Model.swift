import Files
import Foundation

/// A model as its files describe it: the network, where its parameters are, and what else stands beside them.
///
/// A model is a folder, or a `model.tar.gz` as SageMaker makes it, with `*-symbol.json`, `*-NNNN.params` and, where they
/// are there, `model-shapes.json`, `classes.txt` and `preprocess.json`. Two kinds of single files are read, too, with
/// `classes.txt` and `preprocess.json` beside them where they are there: a `.safetensors` file of torchvision's ResNets,
/// whose arrays name the network, and an `.onnx` file of a ResNet. A file's bytes say which kind it is, not its name.
public struct Model: Sendable {
  /// What says which shape the images have.
  public enum ShapeSource: Hashable, Sendable {
    case caller
    /// `model-shapes.json`.
    case shapesFile
    /// The `__shape__` of the symbol's variable `data`.
    case symbol
    /// The input of an ONNX graph.
    case file
    /// `preprocess.json`.
    case preset
    /// Nothing does: (3, 224, 224), what SageMaker's algorithm takes by default.
    case assumed
  }
  /// Who trained it, which also says how it wants its pictures where no preset does.
  public enum Format: Hashable, Sendable {
    /// MXNet and SageMaker; also an ONNX graph that begins with a BatchNorm of the image, as their networks do: pictures
    /// as they are, 0...255.
    case mxnet
    /// torchvision's ResNets for ImageNet: a cut of 224 of 256 pixels, normalised by ImageNet's mean and deviation. Every
    /// other ONNX graph is taken for one.
    case torchvision
  }
  public let path: String
  /// Where `classes.txt` and `preprocess.json` belong, for messages: the model's folder, the archive, or the folder of a
  /// file of weights.
  public let companionFolder: String
  public let format: Format
  /// Checked against `parameters`.
  public let graph: Graph
  /// Read from the file, or from an unnamed copy of an archive's, when they are asked for.
  public let parameters: Parameters
  /// The number of the `.params` file; 0 where there is none.
  public let epoch: Int
  public let shapeSource: ShapeSource
  /// The bytes of `classes.txt` and `preprocess.json`; nil where there are none.
  public let classes: [UInt8]?, preset: [UInt8]?
  /// Sentences on what is odd but does no harm, such as parameters that nothing reads.
  public let warnings: [String]

  /// - Parameters:
  ///   - path: a folder; a tar archive, compressed by gzip or not; or a `.safetensors` or `.onnx` file.
  ///   - epoch: the number of the `.params` file; nil: the highest there is.
  ///   - inputShape: channels, height, width; an ONNX graph of images of another shape is refused.
  ///   - limit: an archive that unpacks to more bytes is refused.
  /// - Throws: where a file cannot be read or is not what it must be, with its path and the place in it.
  /// - Complexity: reads the symbol and the directory of the parameters; of an archive, all of it.
  public init(
    _ path: String, epoch: Int? = nil, inputShape: [Int]? = nil, limit: Int = Model.standardLimit
  ) throws(ModelError) {
    if isFolder(path) {
      self = try Model(try ModelFiles(folder: path, epoch: epoch), path: path, inputShape: inputShape)
      return
    }
    switch try Self.kind(ofFile: path) {
    case .safetensors: self = try Model(torchvision: path, inputShape: inputShape)
    case .onnx: self = try Model(onnx: path, inputShape: inputShape)
    default:
      let files = try ModelFiles(archive: path, epoch: epoch, limit: limit)
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
        "\(path): this is no model known here (it begins with \(hexBytes(start.span, limit: 8))); \(expected) is expected"
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

  private init(_ files: ModelFiles, path: String, inputShape: [Int]?) throws(ModelError) {
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
      warnings.append("\(path): no *-symbol.json goes with \(shown(files.strays)); passed over")
    }
    let unused = symbol.unusedNames(in: files.parameters)
    if !unused.isEmpty { warnings.append(Self.warning(ofUnused: unused, in: files.parametersPath)) }
    self.path = path
    companionFolder = path
    format = .mxnet
    parameters = files.parameters
    epoch = files.epoch
    classes = files.classes
    preset = files.preset
    self.warnings = warnings
  }

  static func warning(ofUnused names: [String], in path: String) -> String {
    "\(path): \(names.count) parameters belong to no node: \(shown(names))"
  }

  /// What SageMaker's algorithm and torchvision take by default.
  static let assumedShape = [3, 224, 224]

  /// What an archive may unpack to: 8 GiB.
  public static let standardLimit = 8 << 30
}

/// `[{"name": "data", "shape": [batch, channels, height, width]}]`; readers take name and shape, and the batch is theirs.
private func inputShapeOf(_ file: ModelFiles.SmallFile) throws(ModelError) -> [Int] {
  struct Input: Decodable {
    let name: String
    let shape: [Int]
  }
  let inputs: [Input]
  do { inputs = try JSONDecoder().decode([Input].self, from: Data(file.bytes)) } catch {
    throw ModelError("\(file.path): \(sentence(error))")
  }
  let images = inputs.count == 1 ? inputs : inputs.filter { $0.name == "data" }
  guard images.count == 1, let input = images.first else {
    throw ModelError(
      inputs.isEmpty
        ? "\(file.path): the list is empty; the input data is expected"
        : "\(file.path): the inputs are \(shown(inputs.map(\.name))); one, or one named data, is expected")
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

/// What is wrong with a model, in a sentence: what, where (file, byte offset, node, attribute), what was expected.
public struct ModelError: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String

  /// - Parameter description: may quote names from a file; what a terminal would obey is escaped here.
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

/// A name from a file for a message: the start of it where it is long.
func shown(_ name: String) -> String {
  name.utf8.count <= 120 ? name : String(name.prefix(100)) + "..."
}

/// The first names of a list for a message.
func shown(_ names: [String]) -> String {
  names.prefix(5).map(shown).joined(separator: ", ") + (names.count > 5 ? ", ..." : "")
}

/// A shape as Python writes it: (3, 224, 224).
func shown(_ shape: [Int]) -> String {
  shape.count == 1 ? "(\(shape[0]),)" : "(" + shape.map(String.init).joined(separator: ", ") + ")"
}

/// The product of counts that a file names; nil where it is beyond what an Int holds.
func checkedProduct(_ factors: some Sequence<Int>) -> Int? {
  var product = 1
  for factor in factors {
    let (next, overflow) = product.multipliedReportingOverflow(by: factor)
    if overflow { return nil }
    product = next
  }
  return product
}

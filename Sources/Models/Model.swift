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
        "\(path): this is no model known here (it begins with \(spacedHex(start.span, limit: 8))); \(expected) is expected"
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

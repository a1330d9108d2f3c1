import Files
import Foundation

/// A model as its files describe it: the network, where its parameters are, and what else stands beside them.
///
/// A model is a folder, or a `model.tar.gz` as SageMaker makes it, with `*-symbol.json`, `*-NNNN.params` and, where they
/// are there, `model-shapes.json`, `classes.txt` and `preprocess.json`. Two kinds of single files are read, too, with
/// `classes.txt` and `preprocess.json` beside them where they are there: a `.safetensors` file of torchvision's ResNets,
/// whose arrays name the network, and an `.onnx` file of a ResNet.
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
  ///   - inputShape: channels, height, width, whatever the files say.
  ///   - limit: an archive that unpacks to more bytes is refused.
  /// - Throws: where a file cannot be read or is not what it must be, with its path and the place in it.
  /// - Complexity: reads the symbol and the directory of the parameters; of an archive, all of it.
  public init(
    _ path: String, epoch: Int? = nil, inputShape: [Int]? = nil, limit: Int = Model.standardLimit
  ) throws(ModelError) {
    if path.hasSuffix(".safetensors") {
      self = try Model(torchvision: path, inputShape: inputShape)
    } else if path.hasSuffix(".onnx") {
      self = try Model(onnx: path, inputShape: inputShape)
    } else {
      let files =
        isFolder(path)
        ? try ModelFiles(folder: path, epoch: epoch)
        : try ModelFiles(archive: path, epoch: epoch, limit: limit)
      self = try Model(files, path: path, inputShape: inputShape)
    }
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
    } else {
      (graph, shapeSource) = (try Graph(symbol, inputShape: Self.assumedShape), .assumed)
      warnings.append("there is no model-shapes.json: images of 3,224,224 are assumed")
    }
    do { try graph.check(files.parameters) } catch { throw ModelError("\(files.parametersPath): \(error)") }
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
    let some = names.prefix(5).map(shown).joined(separator: ", ") + (names.count > 5 ? ", ..." : "")
    return "\(path): \(names.count) parameters belong to no node: \(some)"
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
  guard let input = inputs.first(where: { $0.name == "data" }) ?? inputs.first else {
    throw ModelError("\(file.path): the list is empty; the input data is expected")
  }
  guard input.shape.count == 4 else {
    throw ModelError(
      "\(file.path): the shape of \(shown(input.name)) is \(input.shape.prefix(8)); [batch, channels, height, width] is expected"
    )
  }
  return Array(input.shape.dropFirst())
}

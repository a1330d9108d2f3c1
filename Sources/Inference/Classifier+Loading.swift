import Files
import FoundationEssentials
public import Imaging
import Models
public import Networks

/// How a model's files become a classifier.
public struct ClassifierOptions: Sendable {
  /// nil: the model's `preprocess.json` says it; where there is none, who trained it: `.squash` for MXNet, as SageMaker's
  /// endpoint does, `.crop` for torchvision.
  public var mode: Preset.Mode?
  /// The length the shorter side gets before a crop; nil: as `preprocess.json` says; where there is none, torchvision's
  /// for its models, else the picture keeps its size.
  public var resize: Int?
  /// Names of the outputs; nil: the model's `classes.txt`.
  public var classes: [String]?
  /// Channels, height, width of the images; nil: what the model says, or its `preprocess.json` where the model leaves it
  /// open.
  public var imageShape: [Int]?
  /// The number of the `.params` file; nil: the highest.
  public var epoch: Int?
  public var engine = Network.Engine.fast
  /// One of `Network.availableKernels`; nil: the best of this processor.
  public var kernels: String?
  public var threads = 1
  /// What the classifier shares with others; nil: it has its own, of so many threads.
  public var cores: Cores?
  /// Images of one run that the network is planned for.
  public var batch = 32
  public var decoding = DecodeOptions()
  public init() {}
}

extension Classifier {
  /// Reads a model and plans its network.
  ///
  /// - Parameters:
  ///   - path: of a `Model`.
  ///   - warn: gets what is odd about the model, in sentences.
  /// - Throws: `ModelError`; `ClassifierError`; `FileError`.
  public convenience init(
    model path: String, options: ClassifierOptions, warn: (String) -> Void = { _ in }
  ) throws {
    let model = try Model(path, epoch: options.epoch, inputShape: options.imageShape)
    for warning in model.warnings { warn(warning) }
    let odd = try model.parameters.namesOfNotFinite()
    if !odd.isEmpty {
      warn(
        "\(path): NaN or infinity among the numbers of \(odd.count) parameters (\(odd.prefix(3).joined(separator: ", "))"
          + "\(odd.count > 3 ? ", ..." : "")): probabilities may mean nothing")
    }
    let cores = options.cores ?? Cores(Workers(count: options.threads))
    let network = try Network(
      model.graph, model.parameters, engine: options.engine, batch: options.batch, workers: cores.workers,
      kernels: options.kernels)
    if let fallback = network.fallback { warn("\(path): \(fallback)") }
    try self.init(
      network: network, preset: try Self.preset(of: model, options),
      classes: try options.classes
        ?? model.classes.map { try classNames($0, path: model.companionFolder + "/classes.txt") },
      cores: cores, decoding: options.decoding)
  }

  private static func preset(of model: Model, _ options: ClassifierOptions) throws -> Preset {
    let path = model.preset == nil ? model.path : model.companionFolder + "/preprocess.json"
    do {
      let (own, tellsShape) = try ownPreset(of: model, path)
      let mode = options.mode ?? own.mode
      return try Preset(
        mode: mode, resize: mode == .crop ? options.resize ?? own.resize : nil,
        shape: tellsShape && options.imageShape == nil ? own.shape : model.graph.inputShape, mean: own.mean,
        std: own.std,
        filter: own.filter)
    } catch let error as PresetError {
      throw ClassifierError("\(path): \(error)")
    } catch let error as DecodingError {
      throw ClassifierError("\(path): \(sentence(error))")
    }
  }

  /// What the model says, or who trained it.
  private static func ownPreset(of model: Model, _ path: String) throws -> (Preset, tellsShape: Bool) {
    struct Shape: Decodable { let shape: [Int]? }
    guard let json = model.preset else {
      return switch model.format {
      case .mxnet: (try .sageMaker(shape: model.graph.inputShape), false)
      case .torchvision: (try .torchvision(shape: model.graph.inputShape), false)
      }
    }
    if let kind = FileKind(json.span), kind != .json {
      throw ClassifierError(
        "\(path): \(kind.sentence(expected: "a JSON object, {\"mode\": \"crop\", ...},"))")
    }
    let data = Data(json)
    let shape = try JSONDecoder().decode(Shape.self, from: data).shape
    return (try JSONDecoder().decode(Preset.self, from: data), shape != nil)
  }
}

/// The names in a class file: one a line, in the order of the outputs; LF or CRLF; a byte order mark is passed over.
///
/// - Parameter path: for messages.
/// - Throws: where a line is empty or no UTF-8.
public func classNames(_ bytes: [UInt8], path: String) throws(ClassifierError) -> [String] {
  if let kind = FileKind(bytes.span), kind != .text {
    throw ClassifierError("\(path): \(kind.sentence(expected: "a text file, a class name a line,"))")
  }
  var names: [String] = []
  for (index, line) in nameLines(bytes).enumerated() {
    guard let name = String(validating: line, as: UTF8.self), !name.isEmpty else {
      throw ClassifierError(
        "\(path): line \(index + 1) is \(line.isEmpty ? "empty" : "no UTF-8"); a class name a line is expected"
      )
    }
    names.append(name)
  }
  return names
}

private func sentence(_ error: DecodingError) -> String {
  switch error {
  case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
    .dataCorrupted(let context):
    let key = context.codingPath.first.map { "\($0.stringValue): " } ?? ""
    return key + context.debugDescription
  @unknown default: return "\(error)"
  }
}

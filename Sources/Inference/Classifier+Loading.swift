import Files
import FoundationEssentials
public import Imaging
import Models
public import Networks
import Tensors

/// How a model's files become a classifier.
public struct ClassifierOptions: Sendable {
  /// nil: the model's `preprocess.json` says it; where there is none, `.squash`, as SageMaker's endpoint does.
  public var mode: Preset.Mode?
  /// The length the shorter side gets before a crop; nil: as `preprocess.json` says, else the picture keeps its size.
  public var resize: Int?
  /// Names of the outputs; nil: the model's `classes.txt`.
  public var classes: [String]?
  /// The number of the `.params` file; nil: the highest.
  public var epoch: Int?
  public var engine = Network.Engine.fast
  /// One of `Network.availableKernels`; nil: the best of this processor.
  public var kernels: String?
  public var threads = 1
  /// Images of one run that the network is planned for.
  public var batch = 32
  public var maximumPixelCount = DecodeOptions.standardMaximumPixelCount
  public init() {}
}

extension Classifier {
  /// Reads a model and plans its network.
  ///
  /// - Parameters:
  ///   - path: a folder or an archive.
  ///   - warn: gets what is odd about the model, in sentences.
  /// - Throws: `ModelError`; `ClassifierError`; `FileError`.
  public convenience init(
    model path: String, options: ClassifierOptions, warn: (String) -> Void = { _ in }
  ) throws {
    let model = try Model(path, epoch: options.epoch)
    for warning in model.warnings { warn(warning) }
    let odd = try model.parameters.namesOfNotFinite()
    if !odd.isEmpty {
      warn(
        "\(path): NaN or infinity among the numbers of \(odd.count) parameters (\(odd.prefix(3).joined(separator: ", "))"
          + "\(odd.count > 3 ? ", ..." : "")): probabilities may mean nothing")
    }
    let workers = Workers(count: options.threads)
    let network = try Network(
      model.graph, model.parameters, engine: options.engine, batch: options.batch, workers: workers,
      kernels: options.kernels)
    try self.init(
      network: network, preset: try Self.preset(of: model, options),
      classes: try options.classes ?? model.classes.map { try classNames($0, path: path + "/classes.txt") },
      workers: workers, maximumPixelCount: options.maximumPixelCount)
  }

  private static func preset(of model: Model, _ options: ClassifierOptions) throws -> Preset {
    let path = model.path + "/preprocess.json"
    do {
      let given = try model.preset.map { try JSONDecoder().decode(Preset.self, from: Data($0)) }
      let mode = options.mode ?? given?.mode ?? .squash
      return try Preset(
        mode: mode, resize: mode == .crop ? options.resize ?? given?.resize : nil,
        shape: given?.shape ?? model.graph.inputShape, mean: given?.mean ?? [0, 0, 0],
        std: given?.std ?? [1, 1, 1], filter: given?.filter ?? .linear)
    } catch let error as PresetError {
      throw ClassifierError("\(path): \(error)")
    } catch let error as DecodingError {
      throw ClassifierError("\(path): \(sentence(error))")
    }
  }
}

/// The names in a class file: one a line, in the order of the outputs; LF or CRLF; a byte order mark is passed over.
///
/// - Parameter path: for messages.
/// - Throws: where a line is empty or no UTF-8.
public func classNames(_ bytes: [UInt8], path: String) throws(ClassifierError) -> [String] {
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

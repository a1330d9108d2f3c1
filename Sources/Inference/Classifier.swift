import Files
import FoundationEssentials
import Glibc
public import Imaging
import Models
public import Networks
import Synchronization
import Tensors

/// A model that takes image files: network, preprocessing and class names.
///
/// Decoding and the network share one set of threads, one after the other, so that the cores are never asked for twice.
/// One batch at a time: calls from several threads wait for each other. An image's probabilities do not depend on the
/// images beside it, as far as the network keeps that promise.
public final class Classifier: Sendable {
  public let network: any ImageNetwork
  public let preset: Preset
  /// A name for each output; nil where the model has none.
  public let classes: [String]?
  /// Images that go through the network at once, at most: more would only take memory.
  public let largestBatch: Int
  private let cores: Cores
  private let decoding: DecodeOptions
  private let buffers = Mutex(Buffers())

  private struct Buffers {
    var tensors: [Float] = []
    var outputs: [Float] = []
  }

  /// Memory for the tensors of a batch.
  private static let tensorByteCount = 64 << 20

  /// - Parameters:
  ///   - cores: what the network computes with; classifiers of one program share it.
  ///   - decoding: how pictures are decoded, and how much work one may make.
  /// - Throws: where the preset makes other tensors than the network takes, or the names are not as many as the outputs.
  public init(
    network: any ImageNetwork, preset: Preset, classes: [String]? = nil, cores: Cores,
    decoding: DecodeOptions = DecodeOptions()
  ) throws(ClassifierError) {
    guard preset.shape == network.inputShape else {
      throw ClassifierError(
        "preprocessing makes tensors of \(shapeText(preset.shape)), the network takes "
          + "\(shapeText(network.inputShape))")
    }
    if let classes, classes.count != network.outputCount {
      throw ClassifierError(
        "there are \(classes.count) class names, the network has \(network.outputCount) outputs")
    }
    self.network = network
    self.preset = preset
    self.classes = classes
    self.cores = cores
    largestBatch = max(1, min(64, Self.tensorByteCount / (4 * preset.count)))
    self.decoding = decoding
  }

  /// The probabilities of each image, in the order of the images; a bad image has its own error and disturbs no other.
  ///
  /// - Parameter images: whole JPEG or PNG files; any number of them.
  public func classify(_ images: [[UInt8]]) async -> [Result<[Float], ClassificationError>] {
    await withCheckedContinuation { continuation in
      cores.run { continuation.resume(returning: self.classifyHere(images)) }
    }
  }

  /// As `classify`, on the calling thread.
  public func classifyHere(_ images: [[UInt8]]) -> [Result<[Float], ClassificationError>] {
    buffers.withLock { buffers in
      var results: [Result<[Float], ClassificationError>] = []
      results.reserveCapacity(images.count)
      var start = 0
      while start < images.count {
        let end = min(images.count, start + largestBatch)
        results += classify(images[start..<end], in: &buffers)
        start = end
      }
      return results
    }
  }

  /// Runs the network once on nothing, so that the first image does not wait for memory.
  public func warmUp() {
    let zeros = [Float](repeating: 0, count: preset.count)
    var outputs = [Float](repeating: 0, count: network.outputCount)
    var row = outputs.mutableSpan
    network.run(zeros.span, count: 1, into: &row)
  }

  /// As `warmUp`, in turn with the networks that run already.
  public func warmUpInTurn() async {
    await withCheckedContinuation { continuation in
      cores.run {
        self.warmUp()
        continuation.resume()
      }
    }
  }

  /// Threads that decode and compute.
  var threadCount: Int { cores.workers.count }

  /// Runs `body` where networks are run: not on one of the few threads that tasks share.
  func onOwnThread(_ urgency: Cores.Urgency, _ body: @escaping @Sendable () -> Void) {
    cores.run(urgency, body)
  }

  private func classify(_ images: ArraySlice<[UInt8]>, in buffers: inout Buffers)
    -> [Result<[Float], ClassificationError>]
  {
    let needed = images.count * preset.count
    if buffers.tensors.count < needed {
      buffers.tensors = [Float](repeating: 0, count: needed)
      buffers.outputs = [Float](repeating: 0, count: images.count * network.outputCount)
    }
    let faults = decode(images, into: &buffers.tensors)
    let count = closeGaps(faults, in: &buffers.tensors)
    if count > 0 {
      let tensors = buffers.tensors
      unsafe buffers.outputs.withUnsafeMutableBufferPointer { outputs in
        var rows = unsafe MutableSpan(
          _unsafeElements: UnsafeMutableBufferPointer(
            rebasing: outputs[0..<count * network.outputCount]))
        network.run(tensors.span.extracting(0..<count * preset.count), count: count, into: &rows)
      }
    }
    var row = 0
    return faults.map { fault in
      if let fault { return .failure(.image(fault)) }
      defer { row += 1 }
      return probabilities(buffers.outputs[row * network.outputCount..<(row + 1) * network.outputCount])
    }
  }

  /// Decodes all images side by side, each to its place.
  private func decode(_ images: ArraySlice<[UInt8]>, into tensors: inout [Float]) -> [ImageError?] {
    var faults = [ImageError?](repeating: nil, count: images.count)
    let size = preset.count
    unsafe tensors.withUnsafeMutableBufferPointer { tensors in
      unsafe faults.withUnsafeMutableBufferPointer { faults in
        // Each part writes its own tensor and its own fault.
        nonisolated(unsafe) let (tensors, faults) = unsafe (tensors, faults)
        cores.workers.forEach(images.count) { part, _ in
          var tensor = unsafe MutableSpan(
            _unsafeElements: UnsafeMutableBufferPointer(rebasing: tensors[part * size..<(part + 1) * size]))
          let image = images[images.startIndex + part]
          do throws(ImageError) {
            try preset.fill(&tensor, from: image.span, decoding)
          } catch {
            unsafe faults[part] = error
          }
        }
      }
    }
    return faults
  }

  /// Moves the tensors of good images together.
  /// - Returns: how many there are.
  private func closeGaps(_ faults: [ImageError?], in tensors: inout [Float]) -> Int {
    let size = preset.count
    var count = 0
    for (place, fault) in faults.enumerated() where fault == nil {
      if count < place {
        unsafe tensors.withUnsafeMutableBufferPointer { buffer in
          guard let start = buffer.baseAddress else { return }
          unsafe (start + count * size).update(from: start + place * size, count: size)
        }
      }
      count += 1
    }
    return count
  }

  private func probabilities(_ outputs: ArraySlice<Float>) -> Result<[Float], ClassificationError> {
    let row = network.givesProbabilities ? Array(outputs) : softmax(outputs)
    return row.allSatisfy(\.isFinite) ? .success(row) : .failure(.notFinite)
  }
}

/// What keeps a network, its preprocessing and its class names from going together, in a sentence.
public struct ClassifierError: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}

/// Why one image has no probabilities.
public enum ClassificationError: Error, Hashable, Sendable, CustomStringConvertible {
  case image(ImageError)
  /// The network gave NaN or infinity, which no JSON can hold.
  case notFinite

  public var description: String {
    switch self {
    case .image(let error): error.description
    case .notFinite: "the network's output for this image is not finite: the model's weights are damaged"
    }
  }
}

/// e^x of each over their sum, in double precision: for networks whose last layer gives scores.
private func softmax(_ scores: ArraySlice<Float>) -> [Float] {
  guard let most = scores.max() else { return [] }
  let powers = scores.map { exp(Double($0) - Double(most)) }
  let sum = powers.reduce(0, +)
  return powers.map { Float($0 / sum) }
}

private func shapeText(_ shape: [Int]) -> String { shape.map { "\($0)" }.joined(separator: "x") }

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

/// What the classifier asks of a network: so that what is built on it can be tried with one of a few lines.
public protocol ImageNetwork: Sendable {
  /// Channels, height, width of one image.
  var inputShape: [Int] { get }
  /// Numbers for one image.
  var outputCount: Int { get }
  /// Whether the numbers are probabilities already: the network ends in a softmax or a sigmoid.
  var givesProbabilities: Bool { get }

  /// - Parameters:
  ///   - images: `count` tensors of `inputShape`, one after the other.
  ///   - outputs: `count * outputCount` numbers, an image after the other.
  func run(_ images: Span<Float>, count: Int, into outputs: inout MutableSpan<Float>)
}

extension Network: ImageNetwork {
  public var givesProbabilities: Bool {
    switch graph.nodes[graph.output].operation {
    case .softmax, .sigmoid: true
    default: false
    }
  }
}

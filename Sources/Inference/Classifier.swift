import Encodings
import Files
public import Imaging
import Models
public import Networks
import Synchronization

/// A model that takes image files: network, preprocessing and class names.
///
/// Decoding and the network take turns on one set of threads, so that the cores are never oversubscribed. One batch runs
/// at a time: calls from several threads wait for each other. An image's probabilities do not depend on the other images
/// of its batch, as far as the network keeps that promise.
public final class Classifier: Sendable {
  /// What computes the outputs.
  public let network: any ImageNetwork
  /// How an image becomes the network's input.
  public let preset: Preset
  /// A name for each output; nil where the model has none.
  public let classes: [String]?
  /// The most images that go through the network at once; more would only take memory.
  public let largestBatch: Int
  private let cores: Cores
  private let decoding: DecodeOptions
  private let buffers = Mutex(Buffers())

  private struct Buffers {
    var tensors: [Float] = []
    var outputs: [Float] = []
  }

  /// The most memory for the input tensors of a batch.
  private static let tensorByteCount = 64 << 20

  /// - Parameters:
  ///   - classes: a name for each output.
  ///   - cores: the threads to decode and compute with; the classifiers of a program share them.
  ///   - decoding: how images are decoded, and limits on the work for one.
  /// - Throws: where the preset's shape is not the network's, or the number of names is not that of the outputs.
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

  /// The probabilities of each image, in the order of the images. A bad image gets an error of its own and affects no
  /// other.
  ///
  /// - Parameter images: whole JPEG or PNG files; any number of them.
  /// - Returns: for each image one probability for each output.
  public func classify(_ images: [[UInt8]]) async -> [Result<[Float], ClassificationError>] {
    await withCheckedContinuation { continuation in
      cores.run { continuation.resume(returning: self.classifyHere(images)) }
    }
  }

  /// Like `classify`, on the calling thread.
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

  /// Runs the network once on zeros, so that the first image does not wait for memory to be allocated.
  public func warmUp() {
    let zeros = [Float](repeating: 0, count: preset.count)
    var outputs = [Float](repeating: 0, count: network.outputCount)
    var row = outputs.mutableSpan
    network.run(zeros.span, count: 1, into: &row)
  }

  /// Like `warmUp`, in turn with networks that are running already.
  public func warmUpInTurn() async {
    await withCheckedContinuation { continuation in
      cores.run {
        self.warmUp()
        continuation.resume()
      }
    }
  }

  /// The number of threads that decode and compute.
  var threadCount: Int { cores.workers.count }

  /// Runs `body` on the thread of networks, not on one of the few threads that tasks share.
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

  /// Decodes all images in parallel, each into its own tensor.
  /// - Returns: for each image, its error or nil.
  private func decode(_ images: ArraySlice<[UInt8]>, into tensors: inout [Float]) -> [ImageError?] {
    var faults = [ImageError?](repeating: nil, count: images.count)
    let size = preset.count
    unsafe tensors.withUnsafeMutableBufferPointer { tensors in
      unsafe faults.withUnsafeMutableBufferPointer { faults in
        // Each part writes only its own tensor and its own error.
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

  /// Moves the tensors of good images to the front.
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

/// Why a network, its preprocessing and its class names do not fit together.
public struct ClassifierError: Error, Hashable, Sendable, CustomStringConvertible {
  /// A sentence.
  public let description: String

  /// - Parameter description: a sentence.
  public init(_ description: String) { self.description = description }
}

/// Why one image has no probabilities.
public enum ClassificationError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The image cannot be decoded.
  case image(ImageError)
  /// The network output NaN or infinity, which JSON cannot hold.
  case notFinite

  /// A sentence.
  public var description: String {
    switch self {
    case .image(let error): error.description
    case .notFinite: "the network's output for this image is not finite: the model's weights are damaged"
    }
  }
}

private func shapeText(_ shape: [Int]) -> String { shape.map { "\($0)" }.joined(separator: "x") }

/// How a model's files become a classifier.
public struct ClassifierOptions: Sendable {
  /// nil: as the model's `preprocess.json` says; where there is none, `.squash` for MXNet's models, as SageMaker's endpoint
  /// does, and `.crop` for torchvision's.
  public var mode: Preset.Mode?
  /// The length of the shorter side before a crop, in pixels; nil: as `preprocess.json` says; where there is none,
  /// torchvision's for its models, and no resizing for others.
  public var resize: Int?
  /// Names of the outputs; nil: the model's `classes.txt`.
  public var classes: [String]?
  /// Channels, height, width of the images; nil: what the model says, or its `preprocess.json` where the model leaves it
  /// open.
  public var imageShape: [Int]?
  /// The number of the `.params` file; nil: the highest.
  public var epoch: Int?
  /// The engine to run the network with.
  public var engine = Network.Engine.fast
  /// One of `Network.availableKernels`; nil: the best of this processor.
  public var kernels: String?
  /// The numbers with which the fast engine computes.
  public var precision = Network.Precision.fp32
  /// Threads of the classifier's own cores, where `cores` is nil.
  public var threads = 1
  /// The cores that the classifier shares with others; nil: it has its own, with `threads` threads.
  public var cores: Cores?
  /// The batch size that the network is planned for.
  public var batch = 32
  /// How images are decoded, and limits on the work for one.
  public var decoding = DecodeOptions()
  /// The model's own settings, the fast engine and one thread.
  public init() {}
}

extension Network.Precision {
  /// The precision that the environment variable `IMREC_PRECISION` names; nil if it is not set, or empty.
  ///
  /// - Throws: if it names none.
  public init?(environment: [String: String]) throws(ClassifierError) {
    guard let name = environment["IMREC_PRECISION"], !name.isEmpty else { return nil }
    guard let precision = Self.offered.first(where: { $0.rawValue == name }) else {
      throw ClassifierError(
        "IMREC_PRECISION is '\(printable(String(name.prefix(40))))'; \(Self.offered.map(\.rawValue).joined(separator: " or ")) is expected"
      )
    }
    self = precision
  }

  /// Those that need no calibration.
  public static let offered: [Network.Precision] = [.fp32, .bf16]
}

extension Classifier {
  /// Reads a model and plans its network.
  ///
  /// - Parameters:
  ///   - path: the model's folder, archive or file; see `Model`.
  ///   - warn: called with a sentence for each thing that is odd about the model.
  /// - Throws: `ModelError`; `ClassifierError`; `FileError`.
  public convenience init(
    model path: String, options: ClassifierOptions, warn: (String) -> Void = { _ in }
  ) throws {
    let model = try Model(path, epoch: options.epoch, inputShape: options.imageShape)
    for warning in model.warnings { warn(warning) }
    let damaged = try model.parameters.nonFiniteNames()
    if !damaged.isEmpty {
      warn(
        "\(path): NaN or infinity among the numbers of \(damaged.count) \(damaged.count == 1 ? "parameter" : "parameters") (\(shortList(damaged, limit: 3))): "
          + "probabilities may mean nothing")
    }
    let cores = options.cores ?? Cores(Workers(count: options.threads))
    let network = try Network(
      model.graph, model.parameters, engine: options.engine, batch: options.batch, workers: cores.workers,
      precision: options.precision, kernels: options.kernels)
    if let fallback = network.fallback { warn("\(path): \(fallback)") }
    if !network.hasFastKernels {
      warn(
        "\(options.precision) gains nothing here: the kernels \(network.kernels) have no instructions for it")
    }
    try self.init(
      network: network, preset: try Self.preset(of: model, options),
      classes: try options.classes ?? Self.classes(of: model, count: network.outputCount), cores: cores,
      decoding: options.decoding)
  }

  private static func classes(of model: Model, count: Int) throws -> [String]? {
    guard let bytes = model.classes else { return nil }
    let path = model.companionFolder + "/classes.txt"
    let names = try classNames(bytes, path: path)
    guard names.count == count else {
      throw ClassifierError("\(path): it names \(names.count) classes, the network has \(count) outputs")
    }
    return names
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
    } catch let error as JSONError {
      throw ClassifierError("\(path): \(error)")
    }
  }

  /// The preset in `preprocess.json`, or that of the framework that trained the model.
  /// - Returns: the preset, and whether the file gives a shape.
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
    let shape = try JSON.decode(Shape.self, from: json).shape
    return (try JSON.decode(Preset.self, from: json), shape != nil)
  }
}

/// The names in a class file: one on each line, in the order of the outputs; LF or CRLF; a byte order mark is ignored.
///
/// - Parameters:
///   - bytes: the whole file.
///   - path: for messages.
/// - Throws: where a line is empty or not UTF-8.
public func classNames(_ bytes: [UInt8], path: String) throws(ClassifierError) -> [String] {
  if let kind = FileKind(bytes.span), kind != .text {
    throw ClassifierError("\(path): \(kind.sentence(expected: "a text file, a class name on each line,"))")
  }
  var names: [String] = []
  for (index, line) in nameLines(bytes).enumerated() {
    guard let name = String(validating: line, as: UTF8.self), !name.isEmpty else {
      throw ClassifierError(
        "\(path): line \(index + 1) is \(line.isEmpty ? "empty" : "not UTF-8"); a class name on each line is expected"
      )
    }
    names.append(name)
  }
  return names
}

/// What the classifier needs of a network, so that tests can use a network of a few lines.
public protocol ImageNetwork: Sendable {
  /// Channels, height, width of one image.
  var inputShape: [Int] { get }
  /// How many numbers the network outputs for one image.
  var outputCount: Int { get }
  /// Whether the outputs are probabilities: the network ends in a softmax or a sigmoid.
  var givesProbabilities: Bool { get }

  /// Runs the network on a batch.
  ///
  /// - Parameters:
  ///   - images: `count` tensors of `inputShape`, one after the other.
  ///   - count: the batch size.
  ///   - outputs: filled with `count * outputCount` numbers, one image after the other.
  func run(_ images: Span<Float>, count: Int, into outputs: inout MutableSpan<Float>)
}

extension Network: ImageNetwork {
  /// Whether the network ends in a softmax or a sigmoid.
  public var givesProbabilities: Bool {
    switch graph.nodes[graph.output].operation {
    case .softmax, .sigmoid: true
    default: false
    }
  }
}

import Glibc
public import Imaging
import Networks
import Synchronization

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

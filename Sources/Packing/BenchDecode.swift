public import Files
import Imaging
import Records
import Synchronization

/// How fast this machine turns records into tensors.
public struct DecodeBenchmark: Codable, Sendable {
  /// Median over the runs.
  public var imagesPerSecond = 0.0
  /// The fastest run.
  public var bestImagesPerSecond = 0.0
  /// Images per second of each run, in order.
  public var runs: [Double] = []
  /// Images decoded in one run.
  public var images = 0
  /// Records of one run that could not be decoded.
  public var skipped = 0
  /// Images decoded concurrently.
  public var jobs = 0
  /// Channels, height, width of the tensors.
  public var shape: [Int] = []
  /// Pixels to which the shorter side is scaled first; nil: images keep their size.
  public var resize: Int?
  /// The imaging kernels in use: "portable", "avx2" or "avx512".
  public var kernels = ""
}

/// Decodes the whole file `runs` times, after one warm-up run, and writes nothing.
///
/// - Parameter runs: measured runs; values below 1 count as 1.
/// - Throws: `InputError` if no record can be decoded; `FileError` and `RecordError` if the file cannot be read;
///   `CancellationError`.
public func benchmarkDecoding(
  _ path: String, options: TensorOptions, runs: Int, progress: (Progress) -> Void = { _ in }
) async throws -> DecodeBenchmark {
  var result = DecodeBenchmark()
  result.jobs = options.jobs
  result.shape = options.preset.shape
  result.resize = options.preset.resize
  result.kernels = kernelSetInUse
  for run in 0...max(1, runs) {
    let start = ContinuousClock.now
    let (images, skipped) = try await decodeOnce(path, options: options)
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    guard images > 0 else { throw InputError("\(path): no record could be decoded") }
    result.images = images
    result.skipped = skipped
    if run > 0 { result.runs.append(Double(images) / seconds) }
    progress(Progress(done: run, total: max(1, runs), skipped: skipped))
  }
  result.imagesPerSecond = median(result.runs)
  result.bestImagesPerSecond = result.runs.max() ?? 0
  return result
}

private func decodeOnce(_ path: String, options: TensorOptions) async throws -> (images: Int, skipped: Int) {
  var reader = try RecordReader(path)
  let buffers = TensorBuffers(elementCount: options.elementCount)
  var images = 0
  var skipped = 0
  try await inOrder(width: options.jobs) {
    try StreamedRecord.next(&reader)
  } work: { (streamed: StreamedRecord) -> Bool? in
    guard let record = try? ImageRecord(streamed) else { return false }
    if record.isLabelRecord { return nil }
    return buffers.withBuffer { buffer in
      var elements = buffer.mutableSpan
      do {
        try record.withImage { (image) throws(ImageError) in
          try options.preset.fill(&elements, from: image, options.decoding)
        }
        return true
      } catch {
        return false
      }
    }
  } take: { decoded in
    switch decoded {
    case true?: images += 1
    case false?: skipped += 1
    case nil: break
    }
  }
  return (images, skipped)
}

/// A pool of buffers of one size; each buffer is used by one worker at a time.
private final class TensorBuffers: Sendable {
  private let idle = Mutex<[[Float]]>([])
  private let elementCount: Int

  init(elementCount: Int) { self.elementCount = elementCount }

  func withBuffer<R>(_ body: (inout [Float]) -> R) -> R {
    var buffer = idle.withLock { $0.popLast() } ?? [Float](repeating: 0, count: elementCount)
    defer { idle.withLock { $0.append(buffer) } }
    return body(&buffer)
  }
}

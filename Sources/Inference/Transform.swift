public import Files
import Glibc
public import Records

public struct TransformOptions: Sendable {
  public var format = PredictionFormat.jsonlines
  /// Images that go through the network at once.
  public var batch = 32
  /// An input of more bytes is not sent to the model: SageMaker's MaxPayloadInMB.
  public var largestPayload = 6 << 20
  /// Makes outputs anew that stand there already.
  public var overwrites = false
  public init() {}
}

/// What `transform` made.
public struct TransformSummary: Encodable, Sendable {
  /// Images found.
  public var inputs = 0
  /// Outputs written by this run.
  public var written = 0
  /// Outputs that stood there already, whole, before this run.
  public var kept = 0
  /// Inputs that name an output of this run a second time.
  public var repeated = 0
  public var skipped: [Skip] = []
  /// Files of a folder that are not taken, one entry a kind.
  public var passedOver: [PassedOver] = []
  public var warnings: [String] = []
  public var seconds = 0.0
  /// Of this run's outputs.
  public var imagesPerSecond = 0.0

  public var skippedCount: Int { skipped.count + passedOver.imageCount }
}

/// Batch transform: writes the probabilities of each image to `<folder>/<the image's path>.out`.
///
/// While a batch is in the network, the outputs of the one before are written and the images of the next are read; at
/// most three batches are in memory. An output gets its name when it is whole and on the disk, some hundred at a time
/// (`StagedGroup`): so an interrupted run leaves whole outputs, and the same call goes on after them.
///
/// - Parameters:
///   - folder: made where it is not there; nothing is written outside.
///   - progress: called after each batch.
/// - Throws: `FileError` (`.held` where another run writes to the folder), also where the folder of the inputs is moved or
///   removed meanwhile, or the disk fails; `ScanError`, `ManifestError`; `PackingError` where there is no input;
///   `CancellationError` when what was finished has its name. A bad image is *not* an error: it has no output, and is in
///   `skipped`.
public func transform(
  _ input: TransformInput, to folder: String, with classifier: Classifier, options: TransformOptions,
  progress: (Progress) -> Void = { _ in }
) async throws -> TransformSummary {
  let start = ContinuousClock.now
  let inputs = try input.open()
  try Task.checkCancellation()
  try makeFolder(folder)
  let run = try TransformRun(inputs, folder, classifier, options)
  do {
    var former: TransformRun.Batch?
    var results: TransformRun.Results = []
    var batch = try run.read()
    while let current = batch {
      async let computed = classifier.classify(current.contents)
      if let former { try run.write(former, results) }
      batch = try run.read()
      results = await computed
      former = current
      progress(run.progress)
      try Task.checkCancellation()
    }
    if let former { try run.write(former, results) }
    try run.outputs.publish(last: true)
    progress(run.progress)
  } catch is CancellationError {
    try run.outputs.publish(last: true)
    throw CancellationError()
  } catch {
    run.outputs.discard()
    throw error
  }
  guard run.summary.inputs > 0 else {
    throw InputError("there is no image in the input" + run.summary.warnings.map { "; " + $0 }.joined())
  }
  run.summary.seconds = (ContinuousClock.now - start) / .seconds(1)
  run.summary.imagesPerSecond = Double(run.summary.written) / max(run.summary.seconds, 1e-9)
  return run.summary
}

/// The reading and the writing side of a run.
private final class TransformRun {
  typealias Results = [Result<[Float], ClassificationError>]
  struct Batch {
    var images: [(name: String, output: String)] = []
    var contents: [[UInt8]] = []
  }

  let inputs: any TransformReader
  let folder: String
  let outputCount: Int
  let classes: [String]?
  let options: TransformOptions
  var outputs: StagedGroup
  var summary = TransformSummary()
  private let lock: OutputLock
  private var lastFolder = ""
  /// The outputs that this run sees to: they stand in the folder, too, but are none of an earlier run.
  private var seen: Set<OutputKey> = []
  private var lastPublished = ContinuousClock.now

  /// Bytes of the files of a batch: large ones make smaller batches.
  private static let batchByteCount = 64 << 20
  /// Outputs that wait for their names, and how long the first of them may.
  private static let groupCount = 512
  private static let groupTime = Duration.seconds(2)

  init(
    _ inputs: any TransformReader, _ folder: String, _ classifier: Classifier, _ options: TransformOptions
  ) throws(FileError) {
    self.inputs = inputs
    self.folder = folder
    self.options = options
    outputCount = classifier.network.outputCount
    classes = classifier.classes
    lock = try OutputLock(folder: folder)
    outputs = try StagedGroup(folder)
    summary.passedOver = inputs.passedOver
    summary.warnings = inputs.warnings
  }

  var progress: Progress {
    let done = summary.written + summary.kept + summary.repeated + summary.skipped.count
    if let total = inputs.total { return Progress(done: done, total: total, skipped: summary.skipped.count) }
    return Progress(
      done: done, total: nil, skipped: summary.skipped.count, fraction: inputs.fraction)
  }

  /// The next images that have no output yet; nil at the end.
  func read() throws -> Batch? {
    var batch = Batch()
    var byteCount = 0
    while batch.images.count < options.batch, byteCount < Self.batchByteCount, let item = try inputs.next() {
      switch item {
      case .ignored: continue
      case .unusable(let skip):
        summary.inputs += 1
        summary.skipped.append(skip)
      case .image(let image):
        summary.inputs += 1
        let output = join(folder, image.output)
        if !seen.insert(OutputKey(output)).inserted {
          summary.repeated += 1
        } else if !options.overwrites && isWhole(output) {
          summary.kept += 1
        } else if let bytes = try bytes(of: image) {
          batch.images.append((image.name, output))
          batch.contents.append(bytes)
          byteCount += bytes.count
        }
      }
      if summary.inputs % 1024 == 0 { try Task.checkCancellation() }
    }
    return batch.images.isEmpty ? nil : batch
  }

  /// Whether an earlier run made this output, in the same format.
  private func isWhole(_ output: String) -> Bool {
    options.format.isWhole(output, count: outputCount, classes: classes)
  }

  /// nil, with the reason in the summary, for what the model cannot be sent.
  private func bytes(of image: TransformItem.Image) throws(FileError) -> [UInt8]? {
    switch image.content {
    case .bytes(let bytes) where bytes.count > options.largestPayload:
      skip(image.name, "it has \(bytes.count) bytes, more than the \(options.largestPayload) allowed here")
      return nil
    case .bytes(let bytes): return bytes
    case .file(let path):
      do throws(FileError) {
        return try readFile(path, limit: options.largestPayload).bytes
      } catch {
        if error.isOfMachine { throw error }
        if error.isMissing { try inputs.root?.check() }
        skip(image.name, error.sentence)
        return nil
      }
    }
  }

  func write(_ batch: Batch, _ results: Results) throws(FileError) {
    for (image, result) in zip(batch.images, results) {
      switch result {
      case .failure(let error): skip(image.name, error.description)
      case .success(let probabilities):
        do throws(FileError) {
          try makeFolderOnce(folderName(image.output))
          try outputs.add(image.output, options.format.text(probabilities, classes: classes).span)
          summary.written += 1
        } catch {
          guard error.isOwnFault else { throw error }
          skip(image.name, "its output cannot be written: \(error.sentence)")
        }
      }
    }
    let now = ContinuousClock.now
    if outputs.count >= Self.groupCount || now - lastPublished > Self.groupTime {
      try outputs.publish()
      lastPublished = now
    }
  }

  private func makeFolderOnce(_ path: String) throws(FileError) {
    if hasSameBytes(path, lastFolder) { return }
    try makeFolder(path)
    lastFolder = path
  }

  private func skip(_ name: String, _ reason: String) {
    summary.skipped.append(Skip(path: name, reason: reason))
  }
}

/// 128 bits in the place of a path, so that millions of them fit in memory; the same for all spellings of one path.
private struct OutputKey: Hashable {
  private let first: Int, second: Int

  init(_ path: String) {
    var hashers = (Hasher(), Hasher())
    hashers.1.combine(0)
    for part in path.utf8.split(separator: UInt8(ascii: "/")) where !part.elementsEqual(".".utf8) {
      let name = ByteName(Substring(part))
      hashers.0.combine(name)
      hashers.1.combine(name)
    }
    first = hashers.0.finalize()
    second = hashers.1.finalize()
  }
}

extension FileError {
  /// Whether the name is at fault, and the next output may well be written.
  fileprivate var isOwnFault: Bool {
    if case .system(_, let code) = reason {
      [ENAMETOOLONG, ENOTDIR, EISDIR, ELOOP, EEXIST].contains(code)
    } else {
      false
    }
  }
}

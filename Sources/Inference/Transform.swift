public import Files
import Glibc
public import Records

/// How a batch transform runs and what it writes.
public struct TransformOptions: Sendable {
  /// How probabilities are written.
  public var format = PredictionFormat.jsonlines
  /// Images that go through the network at once.
  public var batch = 32
  /// Inputs of more bytes are skipped: SageMaker's MaxPayloadInMB.
  public var largestPayload = 6 << 20
  /// Whether outputs that exist already are written again.
  public var overwrites = false
  /// JSON lines, batches of 32, 6 MiB.
  public init() {}
}

/// What `transform` has done.
public struct TransformSummary: Encodable, Sendable {
  /// Images that were found.
  public var inputs = 0
  /// Outputs that this run wrote.
  public var written = 0
  /// Outputs of an earlier run that were complete.
  public var kept = 0
  /// Inputs whose output another input of this run has already.
  public var repeated = 0
  /// Images without an output, with the reason.
  public var skipped: [Skip] = []
  /// Files of a folder that are not read, one entry for each kind.
  public var passedOver: [PassedOver] = []
  /// What a user should know of the input; a sentence each.
  public var warnings: [String] = []
  /// From start to end.
  public var seconds = 0.0
  /// Outputs that this run wrote, over `seconds`.
  public var imagesPerSecond = 0.0

  /// Images without an output: those in `skipped`, and image files of kinds that are not read.
  public var skippedCount: Int { skipped.count + passedOver.imageCount }
}

/// Batch transform: writes the probabilities of each image to `<folder>/<the image's path>.out`.
///
/// While a batch is in the network, the outputs of the previous batch are written and the images of the next are read; at
/// most three batches are in memory. Outputs get their names when they are complete and on the disk, some hundred at a
/// time (`StagedGroup`): an interrupted run leaves complete outputs, and the same call continues after them.
///
/// - Parameters:
///   - folder: created where it does not exist; nothing is written outside.
///   - progress: called after each batch.
/// - Throws: `FileError` (`.held` where another run writes to the folder), also where the folder of the inputs is moved or
///   removed meanwhile, or the disk fails; `ScanError`, `ManifestError`; `PackingError` where there is no input;
///   `CancellationError`, after finished outputs have got their names. A bad image is *not* an error: it has no output, and
///   is in `skipped`.
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

/// Reads the inputs and writes the outputs of a run.
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
  /// The outputs that this run has handled: they may be in the folder, too, but not from an earlier run.
  private var seen: Set<OutputKey> = []
  private var lastPublished = ContinuousClock.now

  /// The bytes of a batch's files, after which it takes no more: large files make smaller batches.
  private static let batchByteCount = 64 << 20
  /// How many outputs wait for their names, and for how long.
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

  /// The image's file; nil, with the reason in the summary, where it cannot be sent to the model.
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

/// A hash of 128 bits instead of a path, so that millions of them fit in memory; the same for all spellings of a path.
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
  /// Whether the name is at fault, so that the next output may well be written.
  fileprivate var isOwnFault: Bool {
    if case .system(_, let code) = reason {
      [ENAMETOOLONG, ENOTDIR, EISDIR, ELOOP, EEXIST].contains(code)
    } else {
      false
    }
  }
}

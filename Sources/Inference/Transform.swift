public import Files
public import Records

/// SageMaker's BatchStrategy: how many records are sent at once.
package enum BatchStrategy: String, Sendable {
  /// As many single requests as the batch holds, also of several inputs.
  case singleRecord = "SingleRecord"
  /// As many records of one input as fit into `largestPayload`. Lines are joined to one request; other records are one
  /// request each.
  case multiRecord = "MultiRecord"
}

/// How a batch transform runs and what it writes.
public struct TransformOptions: Sendable {
  /// How a classifier's probabilities are written.
  public var format = PredictionFormat.jsonlines
  /// The maximum number of records sent to the model at once. Without a split, each input is one record.
  public var batch = 32
  /// The maximum size of a record, in bytes; an input with a larger one is skipped. SageMaker's MaxPayloadInMB.
  public var largestPayload = 6 << 20
  /// The setting that `largestPayload` comes from, for messages.
  package var payloadSetting: String?
  /// Whether outputs that exist already are written again.
  public var overwrites = false
  /// How an input is split into records. The answers to its records, in order, are its output.
  package var split = RecordSplit.none
  /// How records are grouped into requests.
  package var strategy = BatchStrategy.singleRecord
  /// Whether the answer to each record ends with a line feed: SageMaker's AssembleWith Line.
  package var endsLines = false
  /// Filters and joins of records and answers; nil leaves both unchanged.
  package var join: RecordJoin?
  /// The maximum time for a batch; after it, all its answers count as refused. nil: no limit.
  package var longestAnswer: Duration?
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

/// Why the model refuses a record: an HTTP status and a sentence.
package struct TransformRefusal: Error, Hashable, Sendable {
  package let status: Int
  package let message: String

  package init(status: Int, message: String) {
    self.status = status
    self.message = message
  }
}

/// Sends requests to a model, and returns one answer for each, in order.
package typealias TransformModel = @Sendable (_ requests: [[UInt8]]) async -> [TransformAnswer]
package typealias TransformAnswer = Result<[UInt8], TransformRefusal>

/// Batch transform: writes the probabilities of each image to `<folder>/<the image's path>.out`.
///
/// An interrupted run leaves complete outputs, and the same call continues after them. The first output that it keeps is
/// computed anew and compared, so that outputs of another model, or of other settings, are not kept.
///
/// - Parameters:
///   - folder: created where it does not exist; nothing is written outside.
///   - progress: called after each batch.
/// - Throws: `FileError` (`.held` where another run writes to the folder), also where the folder of the inputs is moved or
///   removed meanwhile, or the disk fails; `ScanError`, `ManifestError`; `InputError` where there is no input, or the
///   outputs in the folder are another model's; `CancellationError`, after finished outputs have got their names. A bad image is *not* an error: it has no output, and
///   is in `skipped`.
public func transform(
  _ input: TransformInput, to folder: String, with classifier: Classifier, options: TransformOptions,
  progress: (Progress) -> Void = { _ in }
) async throws -> TransformSummary {
  let inputs = try input.open()
  try Task.checkCancellation()
  let (format, classes, count) = (options.format, classifier.classes, classifier.network.outputCount)
  let outputs = try TransformFolder(folder) { format.isWhole($0, count: count, classes: classes) }
  let isOwn = { (image: [UInt8], name: String) in
    let path = join(folder, name)
    guard case .success(let probabilities)? = classifier.classifyHere([image]).first,
      let former = format.numbers(path, count: count)
    else { return false }
    let difference = zip(probabilities, former).map { abs($0 - $1) }.max() ?? 0
    // Other kernels round otherwise; other weights, pixels or precisions differ by more.
    guard difference <= 1e-4 else {
      throw InputError(
        "\(path) is from another model or other settings: a probability differs by \(difference). "
          + "Rewrite the outputs, or write to another folder")
    }
    return true
  }
  let summary = try await transform(
    inputs, to: outputs, options: options, progress: progress, keepingIf: isOwn
  ) { images in
    await classifier.classify(images).map { result in
      result.map { format.text($0, classes: classes) }
        .mapError { TransformRefusal(status: 400, message: $0.description) }
    }
  }
  guard summary.inputs > 0 else {
    throw InputError("there is no image in the input" + summary.warnings.map { "; " + $0 }.joined())
  }
  return summary
}

/// Runs inputs through a model, in order: splits each into records, asks the model for an answer to each record, and
/// writes the answers as the input's output.
///
/// While the model works on a batch, the outputs of the previous batch are written and the records of the next are read;
/// at most three batches are in memory, each of at most 64 MiB and one record, or of one payload.
///
/// - Parameters:
///   - failed: called for each input that has no output, with an HTTP status.
///   - progress: called after each batch.
///   - isOwn: called with an input and the name of its output, which is to be kept, until it returns true: that the model
///     gave it. It throws if another one did.
/// - Throws: `FileError` if the machine, the folder of the inputs or the place of the outputs fails;
///   `CancellationError`, after complete outputs got their names; what `inputs` throws. An input that cannot be read, or
///   of which the model refuses one record, is *not* an error: it has no output, and is in `skipped`.
package func transform(
  _ inputs: any TransformReader, to outputs: any TransformOutputs, options: TransformOptions,
  failed: @escaping (Skip, _ status: Int) -> Void = { _, _ in }, progress: (Progress) -> Void = { _ in },
  keepingIf isOwn: @escaping (_ input: [UInt8], _ output: String) throws -> Bool = { _, _ in true },
  model: @escaping TransformModel
) async throws -> TransformSummary {
  let start = ContinuousClock.now
  let run = TransformRun(inputs, outputs, options, failed, isOwn)
  do {
    var former: TransformRun.Batch?
    var answers: [TransformAnswer] = []
    var batch = try run.read()
    while let current = batch {
      let requests = current.requests
      async let computed = ask(model, requests, within: options.longestAnswer)
      if let former { try run.write(former, answers) }
      batch = try run.read()
      answers = await computed
      former = current
      progress(run.progress)
      try Task.checkCancellation()
    }
    if let former { try run.write(former, answers) }
    try outputs.publish(last: true)
    progress(run.progress)
  } catch is CancellationError {
    outputs.discard()
    try outputs.publish(last: true)
    throw CancellationError()
  } catch {
    outputs.discard()
    outputs.abandon()
    throw error
  }
  run.summary.seconds = (ContinuousClock.now - start) / .seconds(1)
  run.summary.imagesPerSecond = Double(run.summary.written) / max(run.summary.seconds, 1e-9)
  return run.summary
}

/// Asks the model; all answers are refusals if they took longer than `longestAnswer`.
private func ask(
  _ model: TransformModel, _ requests: [[UInt8]], within longestAnswer: Duration?
) async -> [TransformAnswer] {
  if requests.isEmpty { return [] }
  let begin = ContinuousClock.now
  let answers = await model(requests)
  guard let longestAnswer, ContinuousClock.now - begin > longestAnswer else { return answers }
  let refusal = TransformRefusal(
    status: 504, message: "the model did not answer within InvocationsTimeoutInSeconds (\(longestAnswer))")
  return requests.map { _ in .failure(refusal) }
}

/// Reads the inputs and writes the outputs of a run.
private final class TransformRun {
  /// An input from its first record to its output.
  final class Input {
    let name: String, output: String
    var isOpen = false
    var hasFailed = false

    init(_ image: TransformItem.Image) { (name, output) = (image.name, image.output) }
  }

  /// What is sent to the model at once, and the outputs that end with it.
  struct Batch {
    enum Part {
      case records(Input, [[UInt8]], requestCount: Int)
      case end(Input)
    }
    var parts: [Part] = []
    var requests: [[UInt8]] = []
  }

  let inputs: any TransformReader
  let outputs: any TransformOutputs
  let options: TransformOptions
  var summary = TransformSummary()
  private let failed: (Skip, _ status: Int) -> Void
  private let isOwn: (_ input: [UInt8], _ output: String) throws -> Bool
  /// Whether an output that is kept was found to be the model's.
  private var isConfirmed = false
  /// Whether a batch is one payload of `.multiRecord`.
  private let isPayload: Bool
  private let limit: PayloadLimit
  /// The input being read. The rest of it is in `splitter` or `whole`.
  private var current: Input?
  private var splitter: RecordSplitter?
  private var whole: [UInt8]?
  /// The outputs that this run has handled: if one exists, it is not from an earlier run.
  private var seen: Set<OutputKey> = []

  /// A batch with this many bytes takes no more records: large records make smaller batches.
  private static let batchByteCount = 64 << 20

  init(
    _ inputs: any TransformReader, _ outputs: any TransformOutputs, _ options: TransformOptions,
    _ failed: @escaping (Skip, _ status: Int) -> Void,
    _ isOwn: @escaping (_ input: [UInt8], _ output: String) throws -> Bool
  ) {
    self.isOwn = isOwn
    self.inputs = inputs
    self.outputs = outputs
    self.options = options
    self.failed = failed
    isPayload = options.strategy == .multiRecord && options.split != .none
    limit = PayloadLimit(options.largestPayload, setting: options.payloadSetting)
    summary.passedOver = inputs.passedOver
    summary.warnings = inputs.warnings
  }

  var progress: Progress {
    let done = summary.written + summary.kept + summary.repeated + summary.skipped.count
    if let total = inputs.total { return Progress(done: done, total: total, skipped: summary.skipped.count) }
    return Progress(
      done: done, total: nil, skipped: summary.skipped.count, fraction: inputs.fraction)
  }

  /// Reads the next records of inputs that have no output yet; nil at the end.
  func read() throws -> Batch? {
    var batch = Batch()
    var byteCount = 0
    while isPayload
      ? batch.requests.isEmpty : batch.requests.count < options.batch && byteCount < Self.batchByteCount
    {
      guard let input = try current ?? nextInput() else { break }
      do {
        let records =
          isPayload
          ? try next(atMost: .max, byteCount: options.largestPayload)
          : try next(
            atMost: options.batch - batch.requests.count, byteCount: Self.batchByteCount - byteCount)
        let requests = try requests(of: records)
        if !records.isEmpty {
          batch.parts.append(.records(input, records, requestCount: requests.count))
          batch.requests += requests
          byteCount += records.reduce(0) { $0 + $1.count }
        }
        if records.isEmpty || options.split == .none {
          batch.parts.append(.end(input))
          closeInput()
        }
      } catch {
        try fail(input, reading: error)
      }
    }
    return batch.parts.isEmpty ? nil : batch
  }

  /// Opens the next input that has no output yet; nil at the end.
  private func nextInput() throws -> Input? {
    while let item = try inputs.next() {
      switch item {
      case .ignored: continue
      case .unusable(let skip):
        summary.inputs += 1
        self.skip(skip, 400)
      case .image(let image):
        summary.inputs += 1
        if !seen.insert(OutputKey(image.output)).inserted {
          summary.repeated += 1
        } else if !options.overwrites && outputs.isWhole(image.output) {
          try confirm(image)
          summary.kept += 1
        } else {
          let input = Input(image)
          do {
            try open(image.content)
            current = input
            return input
          } catch {
            try fail(input, reading: error)
          }
        }
      }
      if summary.inputs % 1024 == 0 { try Task.checkCancellation() }
    }
    return nil
  }

  private func confirm(_ image: TransformItem.Image) throws {
    guard !isConfirmed else { return }
    switch image.content {
    case .bytes(let bytes): isConfirmed = try isOwn(bytes, image.output)
    case .file(let path):
      guard let bytes = try? readFile(path, limit: options.largestPayload).bytes else { return }
      isConfirmed = try isOwn(bytes, image.output)
    }
  }

  private func open(_ content: TransformItem.Content) throws {
    switch content {
    case .bytes(let bytes):
      try limit.check(bytes.count)
      whole = bytes
    case .file(let path): splitter = try RecordSplitter(path, options.split, limit: limit)
    }
  }

  private func closeInput() {
    current = nil
    splitter = nil
    whole = nil
  }

  private func next(atMost count: Int, byteCount: Int) throws -> [[UInt8]] {
    if let whole = whole.take() { return [whole] }
    return try splitter?.next(atMost: count, byteCount: byteCount) ?? []
  }

  func write(_ batch: Batch, _ answers: [TransformAnswer]) throws {
    var rest = answers[...]
    for part in batch.parts {
      switch part {
      case .records(let input, let records, let count):
        try write(input) {
          for answer in try results(of: records, Array(rest.prefix(count))) { try append(answer) }
        }
        rest = rest.dropFirst(count)
      case .end(let input):
        try write(input) {
          try outputs.close()
          summary.written += 1
        }
      }
    }
    try outputs.publish(last: false)
  }

  /// Runs `body` with the input's output open, unless the input has failed.
  private func write(_ input: Input, _ body: () throws -> Void) throws {
    if input.hasFailed { return }
    do {
      if !input.isOpen { try outputs.open(input.output) }
      input.isOpen = true
      try body()
    } catch let refusal as TransformRefusal {
      fail(input, refusal.status, refusal.message)
    } catch let error as FileError {
      guard error.isOfName else { throw error }
      fail(input, 400, "its output cannot be written: \(error.sentence)")
    } catch {
      fail(input, 400, "\(error)")
    }
  }

  private func append(_ answer: [UInt8]) throws(FileError) {
    try outputs.append(answer.span)
    if options.endsLines, answer.last != UInt8(ascii: "\n") {
      try outputs.append([UInt8(ascii: "\n")].span)
    }
  }

  /// Whether a batch is one request. Only lines are joined: records of RecordIO and TFRecord have frames, so that even a
  /// model that takes one image per request can tell them apart and answer each.
  private var joinsLines: Bool { isPayload && options.split == .line }

  private func requests(of records: [[UInt8]]) throws -> [[UInt8]] {
    guard !records.isEmpty else { return [] }
    let requests = try records.map { try options.join?.request($0) ?? $0 }
    return joinsLines ? [Array(requests.joined(separator: [UInt8(ascii: "\n")]))] : requests
  }

  /// The outputs for records that were sent at once.
  private func results(of records: [[UInt8]], _ answers: [TransformAnswer]) throws -> [[UInt8]] {
    guard joinsLines else {
      return try zip(records, answers).map { record, answer in try result(record, try answer.get()) }
    }
    guard let answer = try answers.first?.get() else { return [] }
    if options.join?.keepsAnswers ?? true { return [answer] }
    let lines = answer.split(separator: UInt8(ascii: "\n"))
    guard lines.count == records.count else {
      throw TransformFault(
        "the model answered \(records.count) lines with \(lines.count); one for each is expected")
    }
    return try zip(records, lines).map { record, line in try result(record, Array(line)) }
  }

  private func result(_ record: [UInt8], _ answer: [UInt8]) throws -> [UInt8] {
    try options.join?.result(record, answer) ?? answer
  }

  /// Skips an input that could not be read.
  ///
  /// - Throws: the error, if the next input would fail as well.
  private func fail(_ input: Input, reading error: any Error) throws {
    closeInput()
    var fault = error as? FileError
    if case .file(let inside)? = (error as? RecordError)?.reason { fault = inside }
    if let fault {
      if fault.isOfMachine { throw fault }
      if fault.isMissing { try inputs.root?.check() }
      fail(input, 400, fault.sentence)
    } else {
      fail(input, 400, "\(error)")
    }
  }

  private func fail(_ input: Input, _ status: Int, _ reason: String) {
    if input.isOpen { outputs.discard() }
    input.hasFailed = true
    // The rest of it is not read.
    if current === input { closeInput() }
    skip(Skip(path: input.name, reason: reason), status)
  }

  private func skip(_ skip: Skip, _ status: Int) {
    summary.skipped.append(skip)
    failed(skip, status)
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

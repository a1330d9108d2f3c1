import Encodings
import Files
import Foundation

/// A transform job as its own process works at it: files in, `<name>.out` files out.
///
/// SageMaker's rules: the records of an input come out in their order; an input of which one record fails has no output,
/// and the others go on.
public struct BatchTransform: Sendable {
  /// One record's request, to the model; an answer for each, in their order.
  public typealias Invoke = (_ records: [[UInt8]]) async throws -> [Result<[UInt8], Refusal>]

  /// The model's answer to a bad record: HTTP's status, and its words.
  public struct Refusal: Error, Hashable, Sendable {
    public let status: Int
    public let message: String

    public init(status: Int, message: String) {
      self.status = status
      self.message = message
    }
  }

  public struct Summary: Hashable, Sendable {
    public var inputs = 0
    public var failed = 0
  }

  /// Of the description: the model's folder or archive.
  public let model: String
  /// What the requests say of themselves.
  public let contentType: String?
  /// What is asked for.
  public let accept: String?
  /// Records in the model at once.
  public let concurrency: Int
  private let inputs: [(name: String, path: String)]
  private let outputFolder: String
  private let split: RecordSplit
  private let strategy: BatchStrategy
  private let endsLines: Bool
  private let largestPayload: Int
  /// InvocationsTimeoutInSeconds, where the job says it.
  private let longestAnswer: Duration?
  private let join: RecordJoin

  /// Requests side by side where the job does not say.
  private static let standardConcurrency = 32

  /// - Parameter path: of the description that `describe` made.
  /// - Throws: `FileError`; `JSONError`; where the description lacks something.
  public init(description path: String) throws {
    let description = try JSON(parsing: try readFile(path, limit: 1 << 30).bytes)
    let job = description["request"] ?? [:]
    let (input, output) = (job["TransformInput"] ?? [:], job["TransformOutput"] ?? [:])
    guard let model = description["model"]?.text, let folder = description["output"]?.text,
      let split = RecordSplit(rawValue: input["SplitType"]?.text ?? "None")
    else { throw BatchFault(description: "\(path) is no description of a transform job") }
    self.model = model
    outputFolder = folder
    self.split = split
    inputs = (description["inputs"]?.list ?? []).compactMap { input in
      guard let name = input["name"]?.text, let path = input["path"]?.text else { return nil }
      return (name, path)
    }
    contentType = input["ContentType"]?.text
    accept = output["Accept"]?.text
    // The hosting contract of these models: one record a request.
    let asked = job["BatchStrategy"]?.text.flatMap { BatchStrategy(rawValue: $0) } ?? .singleRecord
    strategy = split == .none ? .singleRecord : asked
    longestAnswer = job["ModelClientConfig"]?["InvocationsTimeoutInSeconds"]?.integer.map { .seconds($0) }
    endsLines = output["AssembleWith"]?.text == "Line"
    let concurrent = job["MaxConcurrentTransforms"]?.integer ?? 0
    concurrency = concurrent > 0 ? min(concurrent, 100) : Self.standardConcurrency
    let megabytes = job["MaxPayloadInMB"]?.integer ?? 6
    // 0 asks for streaming, which has no end; 100 is the most otherwise.
    largestPayload = (megabytes > 0 ? min(megabytes, 100) : 100) << 20
    let processing = job["DataProcessing"] ?? [:]
    let type = contentType?.split(separator: ";").first.map { $0.lowercased() }
    join = RecordJoin(
      format: type == "text/csv" ? .csv : type?.hasPrefix("application/json") ?? false ? .json : nil,
      inputFilter: try JSONPath(processing["InputFilter"]?.text ?? "$"),
      outputFilter: try JSONPath(processing["OutputFilter"]?.text ?? "$"),
      joinsInput: processing["JoinSource"]?.text == "Input")
  }

  static func describe(
    _ job: Resource, model: String, inputs: [(name: String, path: String)], output: String
  ) -> JSON {
    [
      "model": .string(model), "output": .string(output), "request": job.request,
      "inputs": .list(inputs.map { ["name": .string($0.name), "path": .string($0.path)] }),
    ]
  }

  /// - Parameters:
  ///   - tell: gets a line for each input that failed, as SageMaker's data log has it.
  /// - Throws: `FileError` of the output folder; `CancellationError`; what `invoke` throws.
  public func run(invoke: Invoke, tell: (String) -> Void) async throws -> Summary {
    var summary = Summary()
    tell(
      "[sagemaker logs]: MaxConcurrentTransforms=\(concurrency), MaxPayloadInMB=\(largestPayload >> 20), "
        + "BatchStrategy=\(strategy.variable)")
    var group: [(name: String, path: String)] = []
    for input in inputs {
      try Task.checkCancellation()
      group.append(input)
      if split == .none, group.count < concurrency { continue }
      try await run(group, invoke, tell, &summary)
      group = []
    }
    try await run(group, invoke, tell, &summary)
    return summary
  }

  private func run(
    _ group: [(name: String, path: String)], _ invoke: Invoke, _ tell: (String) -> Void,
    _ summary: inout Summary
  ) async throws {
    func fail(_ input: (name: String, path: String), _ status: Int, _ words: String) {
      summary.failed += 1
      tell("[sagemaker logs]: \(input.name): ClientError: \(status)")
      tell("[sagemaker logs]: \(input.name): Message: \(words)")
    }
    summary.inputs += group.count
    if split != .none {
      for input in group {
        do { try await runRecords(of: input, invoke) } catch let refusal as Refusal {
          fail(input, refusal.status, refusal.message)
        } catch let error where Self.isOfInput(error) {
          fail(input, 400, "\(error)")
        }
      }
      return
    }
    // Whole objects: many go through the model together.
    var whole: [(input: (name: String, path: String), record: [UInt8])] = []
    var requests: [[UInt8]] = []
    for input in group {
      do {
        var splitter = try RecordSplitter(input.path, split, limit: largestPayload)
        guard let record = try splitter.next() else { continue }
        requests.append(try join.request(record))
        whole.append((input, record))
      } catch let error where Self.isOfInput(error) {
        fail(input, 400, "\(error)")
      }
    }
    guard !requests.isEmpty else { return }
    for (one, answer) in zip(whole, try await answers(to: requests, invoke)) {
      do {
        var output = try open(one.input.name)
        try append(try join.result(one.record, try answer.get()), to: &output)
        try output.publish(durably: false)
      } catch let refusal as Refusal {
        fail(one.input, refusal.status, refusal.message)
      } catch let error where Self.isOfInput(error) {
        fail(one.input, 400, "\(error)")
      }
    }
  }

  private func runRecords(of input: (name: String, path: String), _ invoke: Invoke) async throws {
    var splitter = try RecordSplitter(input.path, split, limit: largestPayload)
    var output = try open(input.name)
    do {
      while true {
        try Task.checkCancellation()
        // Also of small records no more are in memory than a payload may have bytes.
        let records =
          strategy == .multiRecord
          ? try splitter.next(atMost: .max, byteCount: largestPayload)
          : try splitter.next(atMost: concurrency, byteCount: .max)
        if records.isEmpty { break }
        for answer in try await answers(ofRecords: records, invoke) { try append(answer, to: &output) }
      }
    } catch {
      output.discard()
      throw error
    }
    try output.publish(durably: false)
  }

  /// What stands in the output for records that go to the model together.
  ///
  /// MultiRecord makes one payload of lines. The records of RecordIO and TFRecord have frames, so a model that takes one
  /// image a request tells them apart, and has an answer for each.
  private func answers(ofRecords records: [[UInt8]], _ invoke: Invoke) async throws -> [[UInt8]] {
    let requests = try requests(of: records)
    return try results(of: records, try await answers(to: requests, invoke))
  }

  private var joinsLines: Bool { strategy == .multiRecord && split == .line }

  // Both apart from the async function, in which swiftc 6.3.1 crashes in its optimiser.
  @inline(never)
  private func requests(of records: [[UInt8]]) throws -> [[UInt8]] {
    let requests = try records.map { try join.request($0) }
    return joinsLines ? [Array(requests.joined(separator: [UInt8(ascii: "\n")]))] : requests
  }

  @inline(never)
  private func results(of records: [[UInt8]], _ answers: [Result<[UInt8], Refusal>]) throws -> [[UInt8]] {
    guard joinsLines else {
      return try zip(records, answers).map { record, answer in try join.result(record, try answer.get()) }
    }
    guard let answer = try answers.first?.get() else { return [] }
    if join.keepsAnswers { return [answer] }
    let lines = answer.split(separator: UInt8(ascii: "\n"))
    guard lines.count == records.count else {
      throw BatchFault(
        description: "the model answered \(records.count) lines with \(lines.count); one for each is expected"
      )
    }
    return try zip(records, lines).map { record, line in try join.result(record, Array(line)) }
  }

  /// An answer that comes too late is none.
  private func answers(to requests: [[UInt8]], _ invoke: Invoke) async throws -> [Result<[UInt8], Refusal>] {
    let begin = ContinuousClock.now
    let answers = try await invoke(requests)
    guard let longestAnswer, ContinuousClock.now - begin > longestAnswer else { return answers }
    let refusal = Refusal(
      status: 504, message: "the model did not answer within InvocationsTimeoutInSeconds (\(longestAnswer))")
    return requests.map { _ in .failure(refusal) }
  }

  /// AssembleWith Line ends each record's answer with a line feed, None with nothing.
  private func append(_ answer: [UInt8], to output: inout StagedFile) throws(FileError) {
    guard endsLines else { return try output.append(answer.span) }
    try output.append((answer.last == UInt8(ascii: "\n") ? answer : answer + [UInt8(ascii: "\n")]).span)
  }

  private func open(_ name: String) throws -> StagedFile {
    let path = Files.join(outputFolder, try Channels.safe(name) + ".out")
    try makeFolder(folderName(path))
    return try StagedFile(path)
  }

  /// Whether the next input may fare better.
  private static func isOfInput(_ error: any Error) -> Bool {
    switch error {
    case is CancellationError: false
    case let error as FileError: error.isMissing
    default: true
    }
  }
}

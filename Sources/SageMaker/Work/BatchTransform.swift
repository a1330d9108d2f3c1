import Encodings
import Files
package import Inference

/// The work of a transform job's own process: reads files and writes `<name>.out` files.
///
/// As in SageMaker, the records of an input are answered in order, and an input with a record that fails has no output;
/// the other inputs are not affected.
package struct BatchTransform: Sendable {
  /// The model's folder or archive.
  package let model: String
  /// The Content-Type of the requests.
  package let contentType: String?
  /// The Accept header of the requests.
  package let accept: String?
  /// The number of records sent to the model at once.
  package var concurrency: Int { options.batch }
  private let inputs: [(name: String, path: String)]
  private let outputFolder: String
  private let options: TransformOptions

  /// The concurrency if the job does not set MaxConcurrentTransforms.
  private static let standardConcurrency = 32

  /// - Parameter path: a file with a description made by `describe`.
  /// - Throws: `FileError`; `JSONError`; `TransformFault` if the description is incomplete; `JSONPathError`.
  package init(description path: String) throws {
    let description = try JSON(parsing: try readFile(path, limit: 1 << 30).bytes)
    let job = description["request"] ?? [:]
    let (input, output) = (job["TransformInput"] ?? [:], job["TransformOutput"] ?? [:])
    guard let model = description["model"]?.text, let folder = description["output"]?.text,
      let split = RecordSplit(rawValue: input["SplitType"]?.text ?? "None")
    else { throw TransformFault("\(path) is not the description of a transform job") }
    self.model = model
    outputFolder = folder
    inputs = (description["inputs"]?.list ?? []).compactMap { input in
      guard let name = input["name"]?.text, let path = input["path"]?.text else { return nil }
      return (name, path)
    }
    contentType = input["ContentType"]?.text
    accept = output["Accept"]?.text
    var options = TransformOptions()
    // A job that is restarted starts from the beginning.
    options.overwrites = true
    options.split = split
    // The hosting contract of these models is one record per request.
    let asked = job["BatchStrategy"]?.text.flatMap { BatchStrategy(rawValue: $0) } ?? .singleRecord
    options.strategy = split == .none ? .singleRecord : asked
    options.longestAnswer = job["ModelClientConfig"]?["InvocationsTimeoutInSeconds"]?.integer.map {
      .seconds($0)
    }
    options.endsLines = output["AssembleWith"]?.text == "Line"
    let concurrent = job["MaxConcurrentTransforms"]?.integer ?? 0
    options.batch = concurrent > 0 ? min(concurrent, 100) : Self.standardConcurrency
    let megabytes = job["MaxPayloadInMB"]?.integer ?? 6
    // 0 stands for streaming, which has no limit; otherwise 100 is the maximum.
    options.largestPayload = (megabytes > 0 ? min(megabytes, 100) : 100) << 20
    options.payloadSetting = "MaxPayloadInMB"
    let processing = job["DataProcessing"] ?? [:]
    let type = contentType?.split(separator: ";").first.map { $0.lowercased() }
    options.join = RecordJoin(
      format: type == "text/csv" ? .csv : type?.hasPrefix("application/json") ?? false ? .json : nil,
      inputFilter: try JSONPath(processing["InputFilter"]?.text ?? "$"),
      outputFilter: try JSONPath(processing["OutputFilter"]?.text ?? "$"),
      joinsInput: processing["JoinSource"]?.text == "Input")
    self.options = options
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
  ///   - tell: called with each line of the job's log, two for each failed input, in the form of SageMaker's data log.
  /// - Throws: `FileError` if the output folder or the machine fails; `CancellationError`.
  package func run(
    _ model: @escaping TransformModel, tell: @escaping (String) -> Void
  ) async throws -> TransformSummary {
    tell(
      "[sagemaker logs]: MaxConcurrentTransforms=\(concurrency), "
        + "MaxPayloadInMB=\(options.largestPayload >> 20), BatchStrategy=\(options.strategy.variable)")
    return try await transform(
      TransformInput.files(inputs).open(), to: JobOutputs(outputFolder), options: options,
      failed: { input, status in
        tell("[sagemaker logs]: \(input.path): ClientError: \(status)")
        tell("[sagemaker logs]: \(input.path): Message: \(input.reason)")
      }, model: model)
  }
}

extension BatchStrategy {
  /// The value of SAGEMAKER_BATCH_STRATEGY in containers.
  var variable: String { self == .singleRecord ? "SINGLE_RECORD" : "MULTI_RECORD" }
}

/// Writes outputs to the job's folder, from which they are uploaded when the job has ended. An output may be larger than
/// memory.
private final class JobOutputs: TransformOutputs {
  private let folder: String
  private var file: StagedFile?

  init(_ folder: String) { self.folder = folder }

  func isWhole(_ name: String) -> Bool { false }

  func open(_ name: String) throws(FileError) {
    let path = join(folder, name)
    try makeFolder(folderName(path))
    file = try StagedFile(path)
  }

  func append(_ bytes: Span<UInt8>) throws(FileError) { try file?.append(bytes) }

  func close() throws(FileError) {
    if let file = file.take() { try file.publish(durably: false) }
  }

  func discard() {
    if let file = file.take() { file.discard() }
  }

  func publish(last: Bool) {}
  func abandon() {}
}

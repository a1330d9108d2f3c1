import ArgumentParser
import Encodings
import Endpoints
import HTTP
import Inference
import SageMaker
import Terminal

/// A transform job as the server starts it; not for people.
struct TransformJobCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "transform-job", abstract: "A transform job of imrec serve.", shouldDisplay: false)

  @Argument(help: "What is to be done, as the server writes it.")
  var description: String
  @OptionGroup var threads: ThreadCount

  func run() async throws {
    let job = try BatchTransform(description: description)
    var options = ClassifierOptions()
    options.threads = threads.count
    options.batch = min(job.concurrency, 32)
    let words = Words(quiet: false)
    let classifier = try Classifier(model: job.model, options: options) { words.warn(printable($0)) }
    let accepted = MediaTypes.format(accepting: job.accept)
    // Without an Accept, SageMaker's batch transform gets what is accepted as JSON lines.
    let format = job.accept == nil ? .jsonlines : accepted
    let summary: TransformSummary
    do {
      summary = try await job.run { records in
        guard isImage(job.contentType) else {
          return refusals(records, 415, "content-type \(job.contentType ?? "") not supported")
        }
        guard let format else { return refusals(records, 406, "accept \(job.accept ?? "") not supported") }
        return await classifier.classify(records).map { result in
          result.map { format.text($0, classes: classifier.classes) }.mapError {
            TransformRefusal(status: 400, message: "unable to evaluate payload provided: \($0)")
          }
        }
      } tell: {
        writeToErrorOutput(printable($0) + "\n")
      }
    } catch is CancellationError {
      throw StoppedRun(remedy: "A stopped transform job has no output.")
    }
    if !summary.skipped.isEmpty { throw ExitCode(ExitStatus.someSkipped) }
  }
}

/// The images of a RecordIO file are images, too.
private func isImage(_ contentType: String?) -> Bool {
  MediaTypes.isImage(contentType) || contentType?.hasPrefix("application/x-recordio") ?? false
}

private func refusals(_ records: [[UInt8]], _ status: Int, _ message: String) -> [TransformAnswer] {
  records.map { _ in .failure(TransformRefusal(status: status, message: message)) }
}

public import ArgumentParser
import Encodings
import Files
import Glibc
public import Imaging
import Networks
public import Packing
import Records
import Terminal

struct OutputOptions: ParsableArguments {
  @Flag(help: "Print one JSON document on stdout.")
  var json = false
  @Flag(name: [.short, .long], help: "Print no progress and no notes; warnings are still printed.")
  var quiet = false

  var words: Words { Words(quiet: quiet) }

  /// Prints the result to stdout: as JSON with `--json`, otherwise as text for people.
  ///
  /// - Parameter doneCount: the number of inputs that were not skipped, for verbs that fail if it is 0; nil for others.
  /// - Throws: `ExitCode`: 2 if inputs were skipped, 1 if `doneCount` is 0; `OutputClosed`.
  func finish(_ result: some Encodable, skippedCount: Int, doneCount: Int? = nil, text: () -> String) throws {
    if json {
      try emit(JSON.text(result, style: .document.snakeCase))
    } else {
      try emit(text())
    }
    if doneCount == 0 { throw ExitCode(ExitStatus.failed) }
    if skippedCount > 0 { throw ExitCode(ExitStatus.someSkipped) }
  }

  private func emit(_ text: String) throws {
    guard writeToOutput(text) else { throw OutputClosed() }
  }
}

/// Stdout cannot be written: its reader is gone, or its disk is full.
struct OutputClosed: Error, CustomStringConvertible {
  var description: String { "the result could not be written to stdout" }
}

/// Wrong arguments that can only be recognized once the inputs are known; exits with status 64.
struct WrongUsage: Error {
  let sentence: String
  let verb: String

  init(_ sentence: String, verb: String) {
    self.sentence = sentence
    self.verb = verb
  }
}

/// Refuses an output that would overwrite an input.
func checkOutput(_ output: String?, inputs: [String?], verb: String) throws(WrongUsage) {
  guard let output, inputs.contains(where: { $0.map { isSameFile($0, output) } ?? false }) else { return }
  throw WrongUsage("-o \(output) is also an input; choose another name for the output", verb: verb)
}

/// How many inputs a verb works on at once. `--jobs` and `--threads` are one option under two names: verbs that read
/// images document `--jobs`, verbs that run networks `--threads` (`ThreadCount`).
struct JobCount: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Inputs processed at once; the output does not depend on it. (default: number of cores)",
      valueName: "count"),
    transform: wholeNumber(1...4096))
  var jobs: Int?
  @Option(help: .private, transform: wholeNumber(1...4096))
  var threads: Int?

  var count: Int { jobs ?? threads ?? Imrec.coreCount }

  func validate() throws { try refuseBoth(jobs, threads) }
}

/// How many threads a verb computes with; see `JobCount`.
struct ThreadCount: ParsableArguments {
  @Option(
    help: ArgumentHelp("Threads of the computation. (default: number of cores)", valueName: "count"),
    transform: wholeNumber(1...1024))
  var threads: Int?
  @Option(help: .private, transform: wholeNumber(1...1024))
  var jobs: Int?

  /// `nil` where neither is given.
  var given: Int? { threads ?? jobs }
  var count: Int { given ?? Imrec.coreCount }

  func validate() throws { try refuseBoth(jobs, threads) }
}

private func refuseBoth(_ jobs: Int?, _ threads: Int?) throws {
  guard jobs == nil || threads == nil else {
    throw ValidationError("--jobs and --threads are one option under two names: give one of them")
  }
}

struct JobOptions: ParsableArguments {
  @OptionGroup var jobs: JobCount
  @Option(
    name: .customLong("max-pixels"),
    help: ArgumentHelp("Refuse images with more pixels. (default: 178956970)", valueName: "count"),
    transform: wholeNumber(1...1 << 40))
  var maximumPixelCount = DecodeOptions.standardMaximumPixelCount
}

extension Imrec {
  static let coreCount = Workers.coreCount
}

/// A parser for whole numbers in a range.
func wholeNumber(_ range: ClosedRange<Int>) -> @Sendable (String) throws -> Int {
  { text in
    guard let value = Int(text), range.contains(value) else {
      throw ValidationError("'\(text)' is not a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }
}

extension Filter: ExpressibleByArgument {}
extension ColorMode: ExpressibleByArgument {}
extension PackOptions.Encoding: ExpressibleByArgument {}
extension TensorType: ExpressibleByArgument {}

/// A number of bytes with a decimal unit: "18.1 MB".
func byteText(_ count: Int) -> String {
  var value = Double(count)
  for unit in ["bytes", "kB", "MB", "GB"] {
    if value < 1000 || unit == "GB" {
      return "\(unit == "bytes" ? rounded(value) : oneDecimal(value)) \(unit)"
    }
    value /= 1000
  }
  return "\(count) bytes"
}

func oneDecimal(_ value: Double) -> String {
  let tenths = Int64(exactly: (value * 10).rounded()) ?? 0
  return "\(tenths / 10).\(abs(tenths % 10))"
}

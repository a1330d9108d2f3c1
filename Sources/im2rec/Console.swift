import Terminal

/// Where text goes: data to one side, words for the user to the other.
struct Console: Sendable {
  let data: @Sendable (String) -> Void
  /// One line at a time, without its end.
  let words: @Sendable (String) -> Void

  /// The process's own standard output and standard error.
  static let standard = Console(
    data: { writeToOutput($0) }, words: { writeToErrorOutput($0 + "\n") })

  func warn(_ sentence: String) { words("warning: " + printable(sentence)) }

  /// - Parameter remedy: what the user may do about it, a sentence.
  func fail(_ sentence: String, remedy: String? = nil) {
    words("im2rec: " + printable(sentence) + (remedy.map { "\n  " + $0 } ?? ""))
  }

  /// An input that was left out; every one is named, however many they are.
  func skip(_ path: String, _ reason: String) { words("skipped: \(printable(path)): \(printable(reason))") }

  /// An input that was packed, but may be damaged.
  func doubt(_ path: String, _ reason: String) { words("doubtful: \(printable(path)): \(printable(reason))") }
}

import Files
import Imaging
import Terminal

/// Messages for the person at the terminal. They go to stderr, so that stdout holds only data.
struct Words: Sendable {
  private let isQuiet: Bool

  init(quiet: Bool) { isQuiet = quiet }

  /// Writes a message that is worth knowing; suppressed by `--quiet`.
  func note(_ sentence: String) {
    if !isQuiet { writeLine(sentence) }
  }

  /// Writes a message about something that was lost or looks wrong, also with `--quiet`.
  func warn(_ sentence: String) { writeLine("warning: \(sentence)") }

  /// Lists the inputs that were left out: the first `limit` one by one, then the number of the others. A note names the
  /// option that would accept some of them, if there is one.
  func skipped(_ items: [(path: String, reason: String)], listing limit: Int = 50) {
    list("skipped", items, limit)
    if let remedy = sizeRemedy(items.map(\.reason)) { note(remedy) }
  }

  func skipped(_ items: [Skip]) { skipped(items.map { ($0.path, $0.reason) }) }

  /// Lists the inputs that were used although they may be damaged.
  func doubtful(_ items: [Skip]) { list("doubtful", items.map { ($0.path, $0.reason) }, 50) }

  private func list(_ kind: String, _ items: [(path: String, reason: String)], _ limit: Int) {
    for item in items.prefix(limit) {
      writeLine("\(kind): \(shortened(printable(item.path))): \(item.reason)")
    }
    if items.count > limit { writeLine("\(kind): \(items.count - limit) more; --json lists them all") }
  }

  private func writeLine(_ line: String) { writeToErrorOutput(line + "\n") }
}

/// The remedy for images with more pixels than the limit; nil if none of the reasons is that.
func sizeRemedy(_ reasons: [String]) -> String? {
  let isTooLarge = reasons.contains { $0.contains(ImageError.sizeLimitWords) }
  return isTooLarge ? "--max-pixels COUNT accepts larger images" : nil
}

/// A path, with the middle left out if it would fill the screen; `--json` shows all of it.
private func shortened(_ text: String) -> String {
  text.count <= 240 ? text : "\(text.prefix(100))[...]\(text.suffix(100))"
}

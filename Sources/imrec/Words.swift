import Encodings
import Files
import Imaging
import Terminal

/// What the program tells the person at the terminal. Words go to stderr, so that stdout holds only data.
struct Words: Sendable {
  private let isQuiet: Bool

  init(quiet: Bool) { isQuiet = quiet }

  /// Something worth knowing; left out with `--quiet`.
  func note(_ sentence: String) {
    if !isQuiet { writeLine(sentence) }
  }

  /// Something that was lost or looks wrong; always written.
  func warn(_ sentence: String) { writeLine("warning: \(sentence)") }

  /// The inputs that were left out: the first ones one by one, then the number of the others. Where an option would
  /// have taken some of them, a note names it.
  func skipped(_ items: [(path: String, reason: String)], listing limit: Int = 50) {
    list("skipped", items, limit)
    if let remedy = sizeRemedy(items.map(\.reason)) { note(remedy) }
  }

  func skipped(_ items: [Skip]) { skipped(items.map { ($0.path, $0.reason) }) }

  /// The inputs that were used although something about them is doubtful.
  func doubtful(_ items: [Skip]) { list("doubtful", items.map { ($0.path, $0.reason) }, 50) }

  private func list(_ kind: String, _ items: [(path: String, reason: String)], _ limit: Int) {
    for item in items.prefix(limit) {
      writeLine("\(kind): \(shortened(printable(item.path))): \(item.reason)")
    }
    if items.count > limit { writeLine("\(kind): \(items.count - limit) more; --json lists them all") }
  }

  private func writeLine(_ line: String) { writeToErrorOutput(line + "\n") }
}

/// What to do where an image has more pixels than the limit; nil where none of the reasons says so.
func sizeRemedy(_ reasons: [String]) -> String? {
  let isTooLarge = reasons.contains { $0.contains(ImageError.sizeLimitWords) }
  return isTooLarge ? "--max-pixels COUNT takes larger images" : nil
}

/// A path without its middle if it would fill the screen; `--json` has all of it.
private func shortened(_ text: String) -> String {
  text.count <= 240 ? text : "\(text.prefix(100))[...]\(text.suffix(100))"
}

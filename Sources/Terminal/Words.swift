import Glibc

/// What the program says to the person at the terminal. Words go to stderr, so that stdout holds only data.
public struct Words: Sendable {
  private let isQuiet: Bool

  public init(quiet: Bool) { isQuiet = quiet }

  /// Something worth knowing; not said with `--quiet`.
  public func note(_ sentence: String) {
    if !isQuiet { writeLine(sentence) }
  }

  /// Something lost or odd; always said.
  public func warn(_ sentence: String) { writeLine("warning: \(sentence)") }

  /// The inputs that were left out: the first ones one by one, then how many more.
  public func skipped(_ items: [(path: String, reason: String)], listing limit: Int = 50) {
    list("skipped", items, limit)
  }

  /// The same for inputs that were taken in doubt.
  public func doubtful(_ items: [(path: String, reason: String)], listing limit: Int = 50) {
    list("doubtful", items, limit)
  }

  private func list(_ kind: String, _ items: [(path: String, reason: String)], _ limit: Int) {
    for item in items.prefix(limit) {
      writeLine("\(kind): \(shortened(printable(item.path))): \(item.reason)")
    }
    if items.count > limit { writeLine("\(kind): \(items.count - limit) more; --json lists them all") }
  }

  private func writeLine(_ line: String) { writeToErrorOutput(line + "\n") }
}

/// A path with its middle left out if it would fill the screen; `--json` has all of it.
private func shortened(_ text: String) -> String {
  text.count <= 240 ? text : "\(text.prefix(100))[...]\(text.suffix(100))"
}

/// Text as it can be shown: control characters, line separators and what is invisible or turns the direction of writing
/// are escaped.
public func printable(_ text: String) -> String {
  var result = ""
  for scalar in text.unicodeScalars {
    switch scalar.value {
    case 0x0A: result += "\\n"
    case 0x0D: result += "\\r"
    case 0x09: result += "\\t"
    // Emoji and Persian are written with the joiners.
    case 0x200C...0x200D: result.unicodeScalars.append(scalar)
    default:
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator:
        result += "\\u{\(String(scalar.value, radix: 16))}"
      default: result.unicodeScalars.append(scalar)
      }
    }
  }
  return result
}

/// Data for the next program, or for the eye.
/// - Returns: whether it could be written: the reader may be gone.
@discardableResult
public func writeToOutput(_ text: String) -> Bool { write(text, to: STDOUT_FILENO) }

public func writeToErrorOutput(_ text: String) { _ = write(text, to: STDERR_FILENO) }

/// "1 record", "2 records": the noun with an s where there is not one.
public func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

private func write(_ text: String, to descriptor: Int32) -> Bool {
  var rest = Array(text.utf8)[...]
  while !rest.isEmpty {
    let count = unsafe rest.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
    if count < 0 && errno == EINTR { continue }
    if count < 0 && errno == EAGAIN {
      // Somebody else made this pipe or terminal non-blocking: wait until it takes more.
      var wanted = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      if unsafe poll(&wanted, 1, -1) >= 0 || errno == EINTR { continue }
    }
    if count <= 0 { return false }
    rest = rest.dropFirst(count)
  }
  return true
}

import Glibc

/// How text on stdout is emphasized: bold and coloured on a terminal; plain in a file or a pipe, or if `NO_COLOR` is
/// set.
public struct TextStyle: Sendable {
  /// How many columns a line may have, 60...160.
  public let width: Int
  private let isOn: Bool

  /// The style for the process's stdout: as wide as the terminal, or 80 columns where it is not one.
  public init() {
    var size = winsize()
    let isTerminal = isatty(STDOUT_FILENO) == 1
    let isAnswered = unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0
    let isKnown = isTerminal && isAnswered && size.ws_col > 0
    self.init(
      width: isKnown ? Int(size.ws_col) : 80,
      isOn: isTerminal && !Self.isSet("NO_COLOR") && !Self.isSet("TERM", to: "dumb"))
  }

  /// - Parameters:
  ///   - width: in columns; clamped to 60...160.
  ///   - isOn: whether text is emphasized at all.
  public init(width: Int, isOn: Bool) {
    self.width = max(60, min(width, 160))
    self.isOn = isOn
  }

  /// Bold.
  public func heading(_ text: String) -> String { wrapped(text, "1") }
  /// Green.
  public func good(_ text: String) -> String { wrapped(text, "32") }
  /// Bold and red.
  public func bad(_ text: String) -> String { wrapped(text, "1;31") }
  /// Dim.
  public func quiet(_ text: String) -> String { wrapped(text, "2") }

  private func wrapped(_ text: String, _ code: String) -> String {
    isOn && !text.isEmpty ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
  }

  /// Whether an environment variable has the value `wanted` or, if that is nil, is set and not empty.
  private static func isSet(_ name: String, to wanted: String? = nil) -> Bool {
    guard let value = unsafe getenv(name).map({ unsafe String(cString: $0) }) else { return false }
    return wanted.map { value == $0 } ?? !value.isEmpty
  }
}

/// How many columns text takes on a terminal: 2 for wide East Asian characters and emoji, 0 for combining marks.
public func columnCount(_ text: String) -> Int {
  text.reduce(0) { count, character in
    let first = character.unicodeScalars.first
    if let first, first.properties.generalCategory == .nonspacingMark { return count }
    let isWide =
      character.unicodeScalars.contains { $0.properties.isEmojiPresentation || $0.value == 0xFE0F }
      || first.map { isWideScalar($0.value) } ?? false
    return count + (isWide ? 2 : 1)
  }
}

/// Whether Unicode's East Asian Width is W or F, by block.
private func isWideScalar(_ value: UInt32) -> Bool {
  switch value {
  case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
    0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
    true
  default: false
  }
}

/// The text, or its beginning and its end around "…" where it takes more than `width` columns.
public func fitted(_ text: String, _ width: Int) -> String {
  guard columnCount(text) > width, width >= 5 else { return text }
  let half = (width - 1) / 2
  var (head, tail) = ("", "")
  for character in text {
    guard columnCount(head) + columnCount(String(character)) <= half else { break }
    head.append(character)
  }
  var rest = Substring(text)
  while let last = rest.popLast(), columnCount(tail) + columnCount(String(last)) <= width - 1 - half {
    tail = String(last) + tail
  }
  return head + "…" + tail
}

/// The text with spaces after it, up to `width` columns.
public func padded(_ text: String, _ width: Int) -> String {
  text + String(repeating: " ", count: max(0, width - columnCount(text)))
}

/// The text with spaces before it, up to `width` columns.
public func leftPadded(_ text: String, _ width: Int) -> String {
  String(repeating: " ", count: max(0, width - columnCount(text))) + text
}

/// Writes the result of the program to stdout.
///
/// - Returns: whether it could be written; the reader may have closed the pipe.
@discardableResult
public func writeToOutput(_ text: String) -> Bool { write(text, to: STDOUT_FILENO) }

/// Writes a message for the user to stderr. A failure is ignored.
public func writeToErrorOutput(_ text: String) { _ = write(text, to: STDERR_FILENO) }

/// "1 record", "2 records": the noun gets an s unless the count is 1.
public func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

private func write(_ text: String, to descriptor: Int32) -> Bool {
  var rest = Array(text.utf8)[...]
  while !rest.isEmpty {
    let count = unsafe rest.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
    if count < 0 && errno == EINTR { continue }
    if count < 0 && errno == EAGAIN {
      // Another process made this pipe or terminal non-blocking: wait until it accepts more.
      var wanted = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      if unsafe poll(&wanted, 1, -1) >= 0 || errno == EINTR { continue }
    }
    if count <= 0 { return false }
    rest = rest.dropFirst(count)
  }
  return true
}

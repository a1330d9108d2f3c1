import Glibc

/// How text on stdout is set off: bold and colours on a terminal, nothing in a file or a pipe, or where `NO_COLOR` is set.
public struct TextStyle: Sendable {
  /// Columns a line may have.
  public let width: Int
  private let isOn: Bool

  /// Fits what stdout is: the width of the terminal, 80 columns where it is none.
  public init() {
    var size = winsize()
    let isTerminal = isatty(STDOUT_FILENO) == 1
    let isAnswered = unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0
    let isKnown = isTerminal && isAnswered && size.ws_col > 0
    self.init(
      width: isKnown ? Int(size.ws_col) : 80,
      isOn: isTerminal && !Self.isSet("NO_COLOR") && !Self.isSet("TERM", to: "dumb"))
  }

  public init(width: Int, isOn: Bool) {
    self.width = max(60, min(width, 160))
    self.isOn = isOn
  }

  public func heading(_ text: String) -> String { wrapped(text, "1") }
  public func good(_ text: String) -> String { wrapped(text, "32") }
  public func bad(_ text: String) -> String { wrapped(text, "1;31") }
  public func quiet(_ text: String) -> String { wrapped(text, "2") }

  private func wrapped(_ text: String, _ code: String) -> String {
    isOn && !text.isEmpty ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
  }

  /// Whether a variable of the environment is there and not empty, or has this value.
  private static func isSet(_ name: String, to wanted: String? = nil) -> Bool {
    guard let value = unsafe getenv(name).map({ unsafe String(cString: $0) }) else { return false }
    return wanted.map { value == $0 } ?? !value.isEmpty
  }
}

/// The columns that text takes on a terminal: 2 for the characters of East Asia and for emoji, 0 for marks over others.
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

/// Unicode's East Asian Width W and F, by block.
private func isWideScalar(_ value: UInt32) -> Bool {
  switch value {
  case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
    0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
    true
  default: false
  }
}

/// Text of at most so many columns: the middle of a longer one is left out.
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

public func padded(_ text: String, _ width: Int) -> String {
  text + String(repeating: " ", count: max(0, width - columnCount(text)))
}

public func leftPadded(_ text: String, _ width: Int) -> String {
  String(repeating: " ", count: max(0, width - columnCount(text))) + text
}

import Encodings
import Glibc
package import Logging
import Synchronization

/// Writes each event as one line to stderr: `2026-11-22T20:15:03.127Z info POST /invocations 200 12.3 ms`,
/// followed by the metadata as `name=value`, sorted by name.
package struct LineLog: LogHandler {
  package var metadata: Logger.Metadata = [:]
  package var logLevel: Logger.Level

  package init(logLevel: Logger.Level) { self.logLevel = logLevel }

  package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  package func log(event: LogEvent) {
    let facts = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
      .map { " \($0.key)=\(Self.word("\($0.value)"))" }
    let line = "\(timeText()) \(event.level) \(event.message)\(facts.joined())\n"
    let bytes = Array(line.utf8)
    // One write per line, so that lines of several threads do not mix. A line that cannot be written is
    // dropped.
    _ = unsafe bytes.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}

extension LineLog {
  /// A metadata value as one word; quoted as JSON if it is not one.
  private static func word(_ value: String) -> String {
    let isPlain =
      !value.isEmpty && value.utf8.allSatisfy { (0x21..<0x7F).contains($0) && $0 != 0x22 && $0 != 0x3D }
    return isPlain ? value : jsonString(value)
  }
}

/// The current time in UTC with milliseconds: `2026-11-22T20:15:03.127Z`.
private func timeText() -> String {
  var now = timespec()
  var parts = unsafe tm()
  unsafe clock_gettime(CLOCK_REALTIME, &now)
  unsafe gmtime_r(&now.tv_sec, &parts)
  func digits(_ value: Int, _ count: Int) -> String {
    let text = String(value)
    return String(repeating: "0", count: max(0, count - text.count)) + text
  }
  return
    unsafe "\(digits(Int(parts.tm_year) + 1900, 4))-\(digits(Int(parts.tm_mon) + 1, 2))-\(digits(Int(parts.tm_mday), 2))T"
    + "\(digits(Int(parts.tm_hour), 2)):\(digits(Int(parts.tm_min), 2)):\(digits(Int(parts.tm_sec), 2))"
    + ".\(digits(now.tv_nsec / 1_000_000, 3))Z"
}

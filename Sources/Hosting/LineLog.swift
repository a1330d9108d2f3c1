import Glibc
import Logging
import Synchronization

/// Writes each event as one line to stderr: `2026-11-22T20:15:03.127Z info POST /invocations 200 12.3 ms`.
struct LineLog: LogHandler {
  var metadata: Logger.Metadata = [:]
  var logLevel: Logger.Level

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let line = "\(timeText()) \(event.level) \(event.message)\n"
    let bytes = Array(line.utf8)
    // One call a line: lines of several threads do not mix. A log that nobody takes is lost, and nothing else.
    _ = unsafe bytes.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}

/// The time in UTC, to the millisecond.
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

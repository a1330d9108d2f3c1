import Glibc

/// The lines of a job's log with their times.
///
/// A line's time is the one that it begins with, `[11/29/2026 07:45:15 INFO 1]`, in the time zone of this machine; another
/// line has that of the line before it. Times never go back, so that they can be searched.
struct LogEvents {
  private(set) var messages: [String] = []
  /// Milliseconds since 1970.
  private(set) var times: [Int] = []

  /// - Parameters:
  ///   - start: the time of lines before any that has one; milliseconds since 1970.
  ///   - isOver: nothing more is written: the last line may be without a line end.
  init(_ log: [UInt8], from start: Int, isOver: Bool) {
    var lines = log.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true || !isOver { lines.removeLast() }
    var (time, stamp) = (start, ArraySlice<UInt8>())
    for line in lines {
      let begin = line.prefix(Self.stampByteCount)
      if begin != stamp, let seconds = Self.seconds(begin) {
        time = max(time, seconds * 1000)
        stamp = begin
      }
      messages.append(String(decoding: line, as: UTF8.self))
      times.append(time)
    }
  }

  /// Of the first event that is not before the time.
  func index(of time: Int) -> Int {
    var (low, high) = (0, times.count)
    while low < high {
      let middle = low + (high - low) / 2
      if times[middle] < time { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private static let stampByteCount = 20

  /// "[11/29/2026 07:45:15" as seconds since 1970; nil for anything else.
  private static func seconds(_ stamp: ArraySlice<UInt8>) -> Int? {
    let bytes = Array(stamp)
    guard bytes.count == stampByteCount, bytes[0] == UInt8(ascii: "["), bytes[3] == UInt8(ascii: "/"),
      bytes[6] == UInt8(ascii: "/"), bytes[11] == UInt8(ascii: " "), bytes[14] == UInt8(ascii: ":"),
      bytes[17] == UInt8(ascii: ":")
    else { return nil }
    func number(_ range: Range<Int>) -> Int32? {
      var value: Int32 = 0
      for byte in bytes[range] {
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
        value = value * 10 + Int32(byte - UInt8(ascii: "0"))
      }
      return value
    }
    guard let month = number(1..<3), let day = number(4..<6), let year = number(7..<11),
      let hour = number(12..<14),
      let minute = number(15..<17), let second = number(18..<20), year >= 1970
    else { return nil }
    var parts = unsafe tm()
    unsafe (parts.tm_year, parts.tm_mon, parts.tm_mday) = (year - 1900, month - 1, day)
    unsafe (parts.tm_hour, parts.tm_min, parts.tm_sec, parts.tm_isdst) = (hour, minute, second, -1)
    let seconds = unsafe mktime(&parts)
    return seconds < 0 ? nil : Int(seconds)
  }
}

import Glibc

/// A second of Universal Time, and the forms in which Amazon's protocols write it; no time zone, no locale.
///
/// Years are 1970 to 9999: what lies beyond, such as the time of a damaged file system, counts as the nearest.
public struct UTCTime: Hashable, Comparable, Sendable {
  public let secondsSince1970: Int
  private static let last = 253_402_300_799

  public init(secondsSince1970: Int) {
    self.secondsSince1970 = min(max(0, secondsSince1970), Self.last)
  }

  /// The clock of the system.
  public static var now: UTCTime {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return UTCTime(secondsSince1970: Int(time.tv_sec))
  }

  public static func < (left: UTCTime, right: UTCTime) -> Bool {
    left.secondsSince1970 < right.secondsSince1970
  }

  public func advanced(bySeconds seconds: Int) -> UTCTime {
    UTCTime(secondsSince1970: secondsSince1970.addingReportingOverflow(seconds).partialValue)
  }

  /// "20150830"
  public var day: String { String(compact.prefix(8)) }

  /// "20150830T123600Z": how a signature writes it.
  public var compact: String {
    let (date, clock) = (civil, clock)
    return digits(date.year, 4) + digits(date.month, 2) + digits(date.day, 2) + "T" + digits(clock.hour, 2)
      + digits(clock.minute, 2) + digits(clock.second, 2) + "Z"
  }

  /// "2015-08-30T12:36:00.000Z": how S3's XML writes it.
  public var iso8601: String {
    let (date, clock) = (civil, clock)
    return "\(digits(date.year, 4))-\(digits(date.month, 2))-\(digits(date.day, 2))T"
      + "\(digits(clock.hour, 2)):\(digits(clock.minute, 2)):\(digits(clock.second, 2)).000Z"
  }

  /// "Sun, 30 Aug 2015 12:36:00 GMT": how HTTP's headers write it.
  public var httpDate: String {
    let (date, clock) = (civil, clock)
    // 1970 began on a Thursday.
    let weekday = Self.weekdays[(secondsSince1970 / 86_400 + 4) % 7]
    return "\(weekday), \(digits(date.day, 2)) \(Self.months[date.month - 1]) \(digits(date.year, 4)) "
      + "\(digits(clock.hour, 2)):\(digits(clock.minute, 2)):\(digits(clock.second, 2)) GMT"
  }

  /// - Returns: nil where the text is not of the form 20150830T123600Z, or no such second exists.
  public init?(compact text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count == 16, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z"),
      let year = number(bytes[0..<4]), let month = number(bytes[4..<6]), let day = number(bytes[6..<8]),
      let hour = number(bytes[9..<11]), let minute = number(bytes[11..<13]),
      let second = number(bytes[13..<15])
    else { return nil }
    self.init(year, month, day, hour, minute, second)
  }

  /// - Returns: nil where the text is not of HTTP's preferred form, Sun, 30 Aug 2015 12:36:00 GMT.
  public init?(httpDate text: String) {
    let words = text.utf8.split(separator: UInt8(ascii: " "))
    guard words.count == 6, let month = Self.months.firstIndex(of: String(Substring(words[2]))),
      let day = number(words[1]), let year = number(words[3])
    else { return nil }
    let clock = words[4].split(separator: UInt8(ascii: ":"))
    guard clock.count == 3, let hour = number(clock[0]), let minute = number(clock[1]),
      let second = number(clock[2])
    else { return nil }
    self.init(year, month + 1, day, hour, minute, second)
  }

  private init?(_ year: Int, _ month: Int, _ day: Int, _ hour: Int, _ minute: Int, _ second: Int) {
    guard (1970...9999).contains(year), (1...12).contains(month), (1...31).contains(day),
      (0..<24).contains(hour),
      (0..<60).contains(minute), (0...60).contains(second)
    else { return nil }
    // Days since 1 March of year 0, counted in years that begin with March: then the odd day is the last one.
    let shifted = month > 2 ? (year, month - 3) : (year - 1, month + 9)
    let days =
      shifted.0 * 365 + shifted.0 / 4 - shifted.0 / 100 + shifted.0 / 400 + (153 * shifted.1 + 2) / 5 + day
      - 1
    self.init(secondsSince1970: (days - Self.marchOfYearZero) * 86_400 + hour * 3600 + minute * 60 + second)
    guard civil == (year, month, day) else { return nil }
  }

  /// Days from 1 March of year 0 to 1 January 1970.
  private static let marchOfYearZero = 719_468
  private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  private var clock: (hour: Int, minute: Int, second: Int) {
    let seconds = secondsSince1970 % 86_400
    return (seconds / 3600, seconds / 60 % 60, seconds % 60)
  }

  private var civil: (year: Int, month: Int, day: Int) {
    let days = secondsSince1970 / 86_400 + Self.marchOfYearZero
    let era = days / 146_097
    let dayOfEra = days % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
  }
}

private func digits(_ value: Int, _ count: Int) -> String {
  let text = String(value)
  return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
}

/// At most four digits, and nothing else.
private func number(_ bytes: some Collection<UInt8>) -> Int? {
  guard (1...4).contains(bytes.count) else { return nil }
  var value = 0
  for byte in bytes {
    guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
    value = value * 10 + Int(byte - UInt8(ascii: "0"))
  }
  return value
}

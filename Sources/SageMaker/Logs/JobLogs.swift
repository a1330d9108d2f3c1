import Encodings
import Files
import Glibc

/// Job logs through the read operations of CloudWatch Logs. SageMaker's SDK polls them to show a job's log while it waits
/// for the job.
///
/// Each job has one log stream, `NAME/algo-1-CREATED`, in the log group of its kind; each line is one event. Operations,
/// members and error codes are those of API version 2014-03-28.
public struct JobLogs: Sendable {
  private let api: SageMakerAPI
  /// How much of a log is served, in bytes from its start; later lines are left out.
  private static let longestLog = 64 << 20
  /// CloudWatch's limits for one page of events; it counts 26 bytes of overhead per event.
  private static let mostEvents = 10_000, mostBytes = 1 << 20, bytesBesideEvent = 26
  /// CloudWatch's limit for one page of log streams.
  private static let mostStreams = 50

  public init(_ api: SageMakerAPI) { self.api = api }

  /// Executes one operation.
  ///
  /// - Parameters:
  ///   - operation: the part of X-Amz-Target after the dot, such as "GetLogEvents".
  ///   - body: the request as JSON; an empty body counts as `{}`.
  /// - Returns: the response as JSON.
  /// - Throws: the error that AWS would return.
  /// - Complexity: GetLogEvents reads and parses the whole log for each page.
  public func respond(
    to operation: String, body: [UInt8], from caller: Caller
  ) async throws(ControlPlaneError) -> [UInt8] {
    let request = try SageMakerAPI.json(body)
    switch operation {
    case "DescribeLogGroups": return groups(request, caller).bytes
    case "DescribeLogStreams": return try await streams(request, caller).bytes
    case "GetLogEvents": return try await events(request).bytes
    default:
      throw ControlPlaneError(
        .unknownOperation,
        "imrec does not support CloudWatch Logs' operation '\(operation.prefix(100))'; it supports DescribeLogGroups, "
          + "DescribeLogStreams and GetLogEvents.")
    }
  }

  // MARK: Groups

  private enum Group: String, CaseIterable {
    case training = "/aws/sagemaker/TrainingJobs"
    case transform = "/aws/sagemaker/TransformJobs"

    var kind: ResourceKind { self == .training ? .trainingJob : .transformJob }

    func arn(_ caller: Caller) -> String {
      "arn:aws:logs:\(caller.region):\(caller.account):log-group:\(rawValue)"
    }
  }

  private func groups(_ request: JSON, _ caller: Caller) -> JSON {
    let prefix = request["logGroupNamePrefix"]?.text ?? ""
    return [
      "logGroups": .list(
        Group.allCases.filter { $0.rawValue.hasPrefix(prefix) }.map { group in
          ["logGroupName": .string(group.rawValue), "arn": .string(group.arn(caller) + ":*")]
        })
    ]
  }

  private func group(_ request: JSON) throws(ControlPlaneError) -> Group {
    let name = request["logGroupName"]?.text ?? request["logGroupIdentifier"]?.text ?? ""
    let known = Group.allCases.first { name == $0.rawValue || name.hasSuffix(":log-group:\($0.rawValue)") }
    guard let known else {
      throw ControlPlaneError(.noSuchLog, "The specified log group does not exist.")
    }
    return known
  }

  // MARK: Streams

  private static func streamName(_ job: Resource) -> String {
    "\(job.name)/algo-1-\(milliseconds(job.created) / 1000)"
  }

  private static func milliseconds(_ seconds: Double) -> Int { Int(exactly: (seconds * 1000).rounded()) ?? 0 }

  private func path(_ group: Group, _ job: Resource) -> String {
    join(api.folder(of: group.kind, job.name), "log")
  }

  /// The log stream of the job that the prefix names, or one page of log streams, newest job first.
  private func streams(_ request: JSON, _ caller: Caller) async throws(ControlPlaneError) -> JSON {
    let group = try group(request)
    let prefix = request["logStreamNamePrefix"]?.text ?? ""
    var jobs: [Resource] = []
    var next: String?
    if let slash = prefix.utf8.firstIndex(of: UInt8(ascii: "/")) {
      if let job = try await api.store.find(group.kind, String(prefix[..<slash])) { jobs = [job] }
    } else {
      let most = min(max(1, request["limit"]?.integer ?? Self.mostStreams), Self.mostStreams)
      let page = try await api.store.newest([group.kind], most: most, after: request["nextToken"]?.text)
      (jobs, next) = (page.rows.map(\.resource), page.next)
    }
    var streams: [JSON] = []
    for job in jobs {
      let name = Self.streamName(job)
      // A queued job has no log yet.
      guard name.hasPrefix(prefix), let log = try? InputFile(path(group, job)) else { continue }
      let created = JSON.integer(Self.milliseconds(job.created))
      streams.append([
        "logStreamName": .string(name), "creationTime": created, "firstEventTimestamp": created,
        "lastEventTimestamp": .integer(Self.milliseconds(job.modified)),
        "lastIngestionTime": .integer(Self.milliseconds(job.modified)),
        "arn": .string("\(group.arn(caller)):log-stream:\(name)"), "storedBytes": .integer(log.byteCount),
      ])
    }
    var answer: JSON = ["logStreams": .list(streams)]
    answer["nextToken"] = next.map { .string($0) }
    return answer
  }

  // MARK: Events

  private func events(_ request: JSON) async throws(ControlPlaneError) -> JSON {
    let group = try group(request)
    let name = request["logStreamName"]?.text ?? ""
    let missing = ControlPlaneError(.noSuchLog, "The specified log stream does not exist.")
    let jobName = name.utf8.firstIndex(of: UInt8(ascii: "/")).map { String(name[..<$0]) } ?? ""
    guard let job = try await api.store.find(group.kind, jobName), Self.streamName(job) == name else {
      throw missing
    }
    guard let bytes = try? readStart(of: path(group, job), byteCount: Self.longestLog) else { throw missing }
    let isOver = !job.isInWork
    let events = LogEvents(bytes, from: Self.milliseconds(job.created), isOver: isOver)
    let page = try page(of: events, request)
    return [
      "events": .list(
        page.map { index in
          [
            "timestamp": .integer(events.times[index]), "ingestionTime": .integer(events.times[index]),
            "message": .string(events.messages[index]),
          ]
        }),
      "nextForwardToken": .string("f/\(page.upperBound)"),
      "nextBackwardToken": .string("b/\(page.lowerBound)"),
    ]
  }

  /// The indices of the events on the requested page: from its pagination token, else from one end of its time range.
  private func page(of events: LogEvents, _ request: JSON) throws(ControlPlaneError) -> Range<Int> {
    let first = request["startTime"]?.integer.map { events.index(of: $0) } ?? 0
    let end = max(first, request["endTime"]?.integer.map { events.index(of: $0) } ?? events.times.count)
    let most = min(max(1, request["limit"]?.integer ?? Self.mostEvents), Self.mostEvents)
    var isForward = request["startFromHead"]?.isTrue ?? false
    var place = isForward ? first : end
    if let token = request["nextToken"]?.text {
      guard token.hasPrefix("f/") || token.hasPrefix("b/"), let number = Int(token.dropFirst(2)), number >= 0
      else { throw ControlPlaneError(.invalidParameter, "The specified nextToken is invalid.") }
      isForward = token.hasPrefix("f/")
      place = min(max(number, first), end)
    }
    var page = place..<place
    var left = Self.mostBytes
    func takes(_ index: Int) -> Bool {
      left -= events.messages[index].utf8.count + Self.bytesBesideEvent
      return page.count < most && (left >= 0 || page.isEmpty)
    }
    if isForward {
      while page.upperBound < end, takes(page.upperBound) { page = page.lowerBound..<page.upperBound + 1 }
    } else {
      while page.lowerBound > first, takes(page.lowerBound - 1) {
        page = page.lowerBound - 1..<page.upperBound
      }
    }
    return page
  }
}

/// The lines of a job's log, each with its time.
///
/// A line that starts with a time stamp, such as `[11/29/2026 07:45:15 INFO 1]` in local time, has that time; any other
/// line has the time of the line before it. Times never decrease, so that `index(of:)` can use binary search.
struct LogEvents {
  private(set) var messages: [String] = []
  /// The time of each message, in milliseconds since 1970, ascending.
  private(set) var times: [Int] = []

  /// - Parameters:
  ///   - start: the time of the lines before the first time stamp, in milliseconds since 1970.
  ///   - isOver: whether the job has ended. Until then an unterminated last line is left out: it may be incomplete.
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

  /// The index of the first event at or after a time; the number of events if there is none.
  func index(of time: Int) -> Int {
    var (low, high) = (0, times.count)
    while low < high {
      let middle = low + (high - low) / 2
      if times[middle] < time { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private static let stampByteCount = 20

  /// Parses a time stamp such as `[11/29/2026 07:45:15`, in local time, to seconds since 1970; nil if it is not one.
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

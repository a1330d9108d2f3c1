import Encodings
import Files

/// The logs of jobs as CloudWatch Logs gives them out: SageMaker's SDK shows them while it waits for a job.
///
/// A job's log is one stream, `NAME/algo-1-CREATED`, in the group of its kind; each of its lines is an event. CloudWatch's
/// operations, members and error codes are those of its API of 2014-03-28, as far as they read.
public struct JobLogs: Sendable {
  private let api: SageMakerAPI
  /// Of a log; what is behind them is not given out.
  private static let longestLog = 64 << 20
  /// As CloudWatch has it: of one answer.
  private static let mostEvents = 10_000, mostBytes = 1 << 20, bytesBesideEvent = 26
  private static let mostStreams = 50

  public init(_ api: SageMakerAPI) { self.api = api }

  /// Answers one operation.
  ///
  /// - Parameters:
  ///   - operation: "GetLogEvents"; what X-Amz-Target names after its dot.
  ///   - body: JSON.
  /// - Throws: what AWS would answer.
  /// - Complexity: a page of events costs O(bytes of the log).
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
        "imrec does not have CloudWatch Logs' \(operation.prefix(100)): it gives the logs of jobs out, by DescribeLogGroups, "
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

  /// Those of one job, or of the newest.
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
      // A job that waits has none yet.
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

  /// The events that a request asks for: at its token, else at one end of its time.
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

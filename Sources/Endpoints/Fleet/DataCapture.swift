import Encodings
import FoundationEssentials
import HTTP
import Inference
import Logging
import Synchronization

/// The object store that captured requests are written to.
public protocol ObjectWriting: Sendable {
  /// Writes an object, which becomes visible only when complete.
  ///
  /// - Parameter uri: `s3://bucket/key`.
  /// - Throws: whatever the store throws; the caller logs it and loses the object.
  func write(_ bytes: [UInt8], to uri: String) async throws
}

/// Counters of data capture since the fleet was created.
public struct CaptureCounts: Sendable, Hashable {
  /// Records collected, including those in objects that could not be written.
  public var records = 0
  /// Records dropped because the buffer was full: requests arrive faster than the store takes objects.
  public var dropped = 0
  /// Objects written.
  public var objects = 0
  /// Objects that could not be written; their records are lost.
  public var failed = 0
  public init() {}
}

/// Collects captured requests per variant, and writes each batch as an object when it reaches its size limit
/// or age limit, or at the end.
final class DataCapture: Sendable {
  private struct Place: Hashable { let endpoint: String, variant: String, destination: String }
  private struct Collection {
    var bytes: [UInt8] = []
    var records = 0
    let start = ContinuousClock.now
    let time: Date
  }
  private struct Object: Sendable {
    let uri: String
    let bytes: [UInt8]
    let records: Int
  }
  private struct State {
    var open: [Place: Collection] = [:]
    var counts = CaptureCounts()
    var hasEnded = false
  }

  private let state = Mutex(State())
  private let objects: AsyncStream<Object>
  private let source: AsyncStream<Object>.Continuation
  private let room: ReceivedBytes
  private let limits: FleetLimits
  private let store: any ObjectWriting
  private let logger: Logger

  init(_ store: any ObjectWriting, limits: FleetLimits, logger: Logger) {
    // The number of queued objects is bounded as well as their bytes.
    (objects, source) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(4096))
    room = ReceivedBytes(limit: limits.captureByteCount)
    self.limits = limits
    self.store = store
    self.logger = logger
  }

  var counts: CaptureCounts { state.withLock(\.counts) }

  func take(_ record: CaptureRecord, _ plan: CapturePlan, endpoint: String, variant: String) {
    let line = record.line(plan)
    guard room.take(line.count) else {
      state.withLock { $0.counts.dropped += 1 }
      return
    }
    let place = Place(endpoint: endpoint, variant: variant, destination: plan.destination)
    let full = state.withLock { state -> Collection? in
      var collection = state.open[place] ?? Collection(time: record.time)
      collection.bytes += line
      collection.records += 1
      state.counts.records += 1
      let isFull = collection.bytes.count >= limits.captureObjectByteCount || state.hasEnded
      state.open[place] = isFull ? nil : collection
      return isFull ? collection : nil
    }
    if let full { hand(full, place) }
  }

  /// Queues the open batches of an endpoint for writing; those of all endpoints if nil.
  func flush(_ endpoint: String? = nil) {
    let closed = state.withLock { state in
      let closed = state.open.filter { endpoint == nil || $0.key.endpoint == endpoint }
      for place in closed.keys { state.open[place] = nil }
      return closed
    }
    for (place, collection) in closed { hand(collection, place) }
  }

  private func hand(_ collection: Collection, _ place: Place) {
    var folder = place.destination
    while folder.utf8.last == UInt8(ascii: "/") { folder = String(Substring(folder.utf8.dropLast())) }
    let key = CaptureRecord.key(
      endpoint: place.endpoint, variant: place.variant, time: collection.time, id: UUID().uuidString)
    let object = Object(uri: "\(folder)/\(key)", bytes: collection.bytes, records: collection.records)
    if case .enqueued = source.yield(object) { return }
    room.give(back: object.bytes.count)
    state.withLock { state in
      state.counts.records -= object.records
      state.counts.dropped += object.records
    }
  }

  /// Writes queued objects until `end` is called and all of them are written.
  func run() async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.closeOld() }
      for await object in objects { await store(object) }
      group.cancelAll()
    }
  }

  /// Queues all open batches; `run` returns when they are written.
  func end() {
    state.withLock { $0.hasEnded = true }
    flush()
    source.finish()
  }

  private func store(_ object: Object) async {
    defer { room.give(back: object.bytes.count) }
    do {
      try await store.write(object.bytes, to: object.uri)
      countObject(\.objects)
    } catch {
      countObject(\.failed)
      logger.error(
        "an object of captured requests could not be written, and its records are lost: \(error)",
        metadata: ["uri": "\(object.uri)", "records": "\(object.records)"])
    }
  }

  // A separate function: in a release build, swiftc 6.3.1 makes an async function lock a Mutex with the id of
  // the thread that ran before the await; unlocking it then traps.
  @inline(never)
  private func countObject(_ count: WritableKeyPath<CaptureCounts, Int>) {
    state.withLock { $0.counts[keyPath: count] += 1 }
  }

  /// Closes each batch when it reaches the age limit.
  private func closeOld() async {
    while !Task.isCancelled {
      let now = ContinuousClock.now
      let (old, next) = state.withLock { state in
        let old = state.open.filter { now - $0.value.start >= limits.captureTime }
        for place in old.keys { state.open[place] = nil }
        return (old, state.open.values.map(\.start).min())
      }
      for (place, collection) in old { hand(collection, place) }
      // Batches opened during the sleep reach the age limit later than the one that ends the sleep.
      try? await Task.sleep(until: (next ?? now) + limits.captureTime, clock: .continuous)
    }
  }
}

/// One request and its response as a line of JSON, in the format of SageMaker's data capture.
struct CaptureRecord: Sendable {
  struct Part: Sendable {
    var contentType: String
    var data: [UInt8]
  }
  /// nil if the plan does not capture it.
  var input: Part?
  var output: Part?
  var customAttributes: String?
  var inferenceID: String?
  var eventID: String
  var time: Date

  /// The JSON line, including its line feed.
  func line(_ plan: CapturePlan) -> [UInt8] {
    var json = JSONWriter(.ascii)
    json.object { json in
      json.key("captureData")
      json.object { json in
        if let input { Self.write(input, as: "endpointInput", "INPUT", plan, to: &json) }
        if let output { Self.write(output, as: "endpointOutput", "OUTPUT", plan, to: &json) }
      }
      json.key("eventMetadata")
      json.object { json in
        json.member("eventId", .string(eventID))
        if let customAttributes { json.member("customAttributes", [.string(customAttributes)]) }
        if let inferenceID { json.member("inferenceId", .string(inferenceID)) }
        json.member("inferenceTime", .string(time.formatted(.iso8601)))
      }
      json.member("eventVersion", "0")
    }
    return json.bytes + [UInt8(ascii: "\n")]
  }

  private static func write(
    _ part: Part, as name: String, _ mode: String, _ plan: CapturePlan, to json: inout JSONWriter
  ) {
    let type = part.contentType.lowercased().prefix { $0 != ";" && $0 != " " }
    let isType = { (types: [String]) in types.contains(String(type)) }
    let encoding = isType(plan.jsonContentTypes) ? "JSON" : isType(plan.csvContentTypes) ? "CSV" : "BASE64"
    json.key(name)
    json.object { json in
      json.member("observedContentType", .string(part.contentType))
      json.member("mode", .string(mode))
      json.key("data")
      json.string(encoding == "BASE64" ? base64Text(part.data) : String(decoding: part.data, as: UTF8.self))
      json.member("encoding", .string(encoding))
    }
  }

  /// The object's key: `endpoint/variant/yyyy/mm/dd/hh/mm-ss-mmm-uuid.jsonl`, in UTC.
  static func key(endpoint: String, variant: String, time: Date, id: String) -> String {
    // The form of the time: 2026-11-22T20:15:03.127Z
    let text = Array(time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
    func part(_ range: Range<Int>) -> String { range.upperBound <= text.count ? String(text[range]) : "" }
    return "\(endpoint)/\(variant)/\(part(0..<4))/\(part(5..<7))/\(part(8..<10))/\(part(11..<13))/"
      + "\(part(14..<16))-\(part(17..<19))-\(part(20..<23))-\(id.lowercased()).jsonl"
  }
}

import HTTP
import HTTPTypes
import Hummingbird
import NIOCore
import ServiceLifecycle
import Synchronization

/// Connections on which pages hear of changes: not more than may be.
final class LiveStreams: Sendable {
  private let count = Mutex(0)
  private let limit: Int

  init(limit: Int) { self.limit = limit }

  func enter() -> Bool {
    count.withLock { count in
      guard count < limit else { return false }
      count += 1
      return true
    }
  }

  var isEmpty: Bool { count.withLock { $0 == 0 } }

  func leave() { count.withLock { $0 -= 1 } }
}

extension DashboardService {
  /// What happens in a training job, as Server-Sent Events; ends with the job, its reader, or the server.
  func events(_ name: String, _ client: ClientPresence?) async throws -> Response {
    guard try await source.trainingJob(name) != nil else { throw PageError.missing("training job", name) }
    let events = try await source.events(ofTrainingJob: name)
    // Pieces that wait for a slow reader; the page shows all of the log when it is loaded again.
    let (pieces, source) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingNewest(256))
    client?.onLeaving { source.finish() }
    return Response(
      status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
      body: ResponseBody { writer in
        guard streams.enter() else {
          // As many pages as may be hear of changes already: this one asks again in a minute.
          try await writer.write(ByteBuffer(string: "retry: 60000\n\n"))
          return try await writer.finish(nil)
        }
        defer {
          streams.leave()
          client?.forget()
        }
        var out = writer
        await withGracefulShutdownHandler {
          await withTaskGroup(of: Void.self) { group in
            group.addTask {
              for await event in events { source.yield(Self.text(event)) }
              source.yield("event: ended\ndata: \n\n")
              source.finish()
            }
            source.yield(": here\n\n")
            for await piece in pieces {
              do { try await out.write(ByteBuffer(string: piece)) } catch { break }
            }
            group.cancelAll()
          }
        } onGracefulShutdown: {
          source.finish()
        }
        writer = out
        try await writer.finish(nil)
      })
  }

  private static func text(_ event: JobEvent) -> String {
    switch event {
    case .changed: return "event: changed\ndata: \n\n"
    case .log(let line):
      // A line end in the data would begin another field.
      let safe = line.unicodeScalars.map { $0.value < 0x20 && $0 != "\t" ? " " : String($0) }.joined()
      return "event: log\ndata: \(safe)\n\n"
    }
  }
}

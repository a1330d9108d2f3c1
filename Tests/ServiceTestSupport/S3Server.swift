import Dispatch
import HummingbirdCore
internal import Logging
package import S3
internal import TestSupport

/// Runs `body` with the port of a server of S3 on a scratch folder with the bucket `photos`.
package func withS3<Result: Sendable>(
  _ change: (inout S3Service.Options) -> Void = { _ in },
  _ body: @escaping @Sendable (_ port: Int, _ root: String, ObjectStore) async throws -> Result
) async throws -> Result {
  var options = S3Service.Options()
  change(&options)
  return try await withScratchFolder { root in
    let store = try ObjectStore(root: root, durably: false)
    try store.makeBucket("photos")
    let (ports, source) = AsyncStream<Int>.makeStream()
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let application = try S3Application.make(S3Service(store, options: options), port: 0, logger: logger) {
      source.yield($0)
    }
    return try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await application.run() }
      defer { group.cancelAll() }
      for await port in ports { return try await body(port, root, store) }
      throw CancellationError()
    }
  }
}

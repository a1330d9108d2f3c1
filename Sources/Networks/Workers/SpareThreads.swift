import Glibc

/// Threads beside the workers', for what is wanted only later: the system prefers the workers where both want a core.
package final class SpareThreads: Sendable {
  private let threads: [pthread_t]

  /// Starts threads.
  ///
  /// - Parameter body: run once on each; it has to return before this object goes, which waits for it.
  package init(count: Int, _ body: @escaping @Sendable () -> Void) {
    var threads: [pthread_t] = []
    for _ in 0..<count {
      var thread = pthread_t()
      let start = unsafe Unmanaged.passRetained(Start(body)).toOpaque()
      let status = unsafe pthread_create(
        &thread, nil,
        { argument in
          guard let argument = unsafe argument else { return nil }
          // Of this thread alone, as Linux has it. Where it is refused the work is done all the same.
          nice(5)
          unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().body()
          return nil
        }, start)
      // Where the system gives no further thread, the workers do what is left.
      guard status == 0 else {
        unsafe Unmanaged<Start>.fromOpaque(start).release()
        break
      }
      threads.append(thread)
    }
    self.threads = threads
  }

  deinit { for thread in threads { pthread_join(thread, nil) } }

  private final class Start: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
}

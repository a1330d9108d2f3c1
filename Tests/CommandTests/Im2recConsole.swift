import Synchronization

@testable import im2rec

/// What a run of im2rec printed.
final class Im2recRun: Sendable {
  private let state = Mutex((data: "", words: [String]()))

  /// Runs im2rec inside the test.
  /// - Returns: its exit status.
  func callAsFunction(_ arguments: String...) async -> Int32 { await self(arguments) }

  func callAsFunction(_ arguments: [String]) async -> Int32 {
    await run(
      arguments,
      console: Console(
        data: { text in self.state.withLock { $0.data += text } },
        words: { line in self.state.withLock { $0.words.append(line) } }))
  }

  var data: String { state.withLock { $0.data } }
  /// Lines, in the order of their appearance.
  var words: [String] { state.withLock { $0.words } }
  func lines(_ start: String) -> [String] { words.filter { $0.hasPrefix(start) } }
}

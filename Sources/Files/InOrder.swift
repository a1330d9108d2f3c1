/// Runs `work` on the inputs side by side and hands the results to `take` in the order of the inputs.
///
/// - Parameters:
///   - width: how many inputs are in work at once.
///   - window: how many inputs may be started and not yet taken. A result that waits for a slower one before it
///     holds its place in the window, so one slow input cannot fill the memory. At least `width`.
///   - next: gives the next input, `nil` at the end. Called from one place only.
///   - take: gets each result; also called from one place only.
/// - Throws: the first error of any of the three; what is in work then is cancelled and awaited.
///   `CancellationError` when the surrounding task is cancelled.
package func inOrder<In: Sendable, Out: Sendable>(
  width: Int, window: Int? = nil, next: () throws -> In?,
  work: @escaping @Sendable (In) async throws -> Out,
  take: (Out) throws -> Void
) async throws {
  let window = max(width, window ?? width * 4)
  try await withThrowingTaskGroup(of: (Int, Out).self) { group in
    var started = 0
    var finished = 0
    var taken = 0
    var waiting: [Int: Out] = [:]
    var atEnd = false
    while true {
      while !atEnd, started - finished < width, started - taken < window {
        guard let input = try next() else {
          atEnd = true
          break
        }
        let place = started
        group.addTask { (place, try await work(input)) }
        started += 1
      }
      guard let (place, output) = try await group.next() else { break }
      try Task.checkCancellation()
      finished += 1
      waiting[place] = output
      while let output = waiting.removeValue(forKey: taken) {
        taken += 1
        try take(output)
      }
    }
  }
}

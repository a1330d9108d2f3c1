import Testing

@testable import SageMaker

@Suite("A job's log as events")
struct LogEventTests {
  private let log = Array(
    """
    before any time
    [11/29/2026 07:45:15 INFO 1] one
    of no time
    [11/29/2026 07:45:17 INFO 1] two
    [11/29/2026 07:45:16 INFO 1] back in time
    [13/x9/2026 07:45:16 no time
    half a li
    """.utf8)

  @Test("each line has the time that it begins with, or that of the line before; none goes back")
  func times() {
    let events = LogEvents(log, from: 5, isOver: true)
    #expect(events.messages.count == 7 && events.messages.last == "half a li")
    #expect(events.times[0] == 5)
    let first = events.times[1]
    #expect(first > 1_790_000_000_000 && first % 1000 == 0)
    #expect(events.times.dropFirst().map { $0 - first } == [0, 0, 2000, 2000, 2000, 2000])
  }

  @Test("a line that is being written is left for the next time; an empty log has no events")
  func unfinished() {
    #expect(LogEvents(log, from: 0, isOver: false).messages.last == "[13/x9/2026 07:45:16 no time")
    #expect(LogEvents([], from: 0, isOver: false).messages.isEmpty)
    #expect(LogEvents([], from: 0, isOver: true).messages.isEmpty)
    #expect(LogEvents([10, 10], from: 0, isOver: false).messages == ["", ""])
  }

  @Test("a time finds the first event that is not before it")
  func search() {
    let events = LogEvents(log, from: 5, isOver: true)
    #expect(events.index(of: 0) == 0 && events.index(of: 6) == 1)
    #expect(events.index(of: events.times[1]) == 1 && events.index(of: events.times[1] + 1) == 3)
    #expect(events.index(of: .max) == 7)
  }
}

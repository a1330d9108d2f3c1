import Files
import Imaging

/// Images that wait, and which of them are next.
///
/// Images that cost much have a lane of their own, and a batch is of one lane, in turn: a photograph waits for one batch
/// of absurd pictures and not for all of them. In a lane the clients take turns: one that sends many does not stand
/// before the others.
struct WaitingImages {
  typealias Ticket = ClassifyingQueue.Ticket

  private struct Lane {
    var queues: [ByteName: TicketQueue] = [:]
    /// The clients that have images in the lane; the first one is next.
    var clients: [ByteName] = []

    mutating func add(_ ticket: Ticket) {
      if queues[ticket.client] == nil { clients.append(ticket.client) }
      queues[ticket.client, default: TicketQueue()].add(ticket)
    }

    /// The next image, unless it costs more than this.
    mutating func take(costing limit: Int) -> Ticket? {
      guard let client = clients.first, let next = queues[client]?.first, next.cost <= limit else {
        return nil
      }
      clients.removeFirst()
      queues[client]?.removeFirst()
      if queues[client]?.first == nil { queues[client] = nil } else { clients.append(client) }
      return next
    }
  }
  private var cheap = Lane()
  private var dear = Lane()
  private var isDearNext = false
  private(set) var count = 0

  /// Images that cost more are dear: some 4 million pixels.
  static let dearCost = 4_000_000

  mutating func add(_ ticket: Ticket) {
    count += 1
    if ticket.cost > Self.dearCost { dear.add(ticket) } else { cheap.add(ticket) }
  }

  /// A batch begins: of the lane whose turn it is, where something waits in it.
  mutating func beginBatch() {
    isDearNext = cheap.clients.isEmpty || (!isDearNext && !dear.clients.isEmpty)
  }

  /// The next image of the batch; nil where none waits in its lane, or it costs more than the limit.
  mutating func take(costing limit: Int) -> Ticket? {
    let ticket = isDearNext ? dear.take(costing: limit) : cheap.take(costing: limit)
    if ticket != nil { count -= 1 }
    return ticket
  }

  /// What an image costs until its tensor is made, in pixels of a JPEG; for one that is no image, nothing.
  static func cost(of image: [UInt8]) -> Int {
    guard let info = try? probe(image.span) else { return 0 }
    let (pixels, isHuge) = info.width.multipliedReportingOverflow(by: info.height)
    // A byte takes as long to decode as some pixels: few pixels may be many bytes.
    let (cost, isHuger) = pixels.addingReportingOverflow(4 * image.count)
    return isHuge || isHuger ? .max : cost
  }
}

/// Images of one client, in the order in which they came.
private struct TicketQueue {
  private var tickets: [WaitingImages.Ticket] = []
  private var start = 0

  var first: WaitingImages.Ticket? { start < tickets.count ? tickets[start] : nil }

  mutating func add(_ ticket: WaitingImages.Ticket) { tickets.append(ticket) }

  mutating func removeFirst() {
    start += 1
    guard start * 2 >= tickets.count else { return }
    tickets.removeFirst(start)
    start = 0
  }
}

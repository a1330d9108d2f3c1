import Dispatch
import Files
import Imaging
import Synchronization
public import Tensors

/// Images that come one by one, from many callers at once, classified in batches.
///
/// What waits when the network is free goes through it together; nothing waits for company. Clients take turns, and so
/// do small images and large ones (`WaitingImages`). The queue is bounded, and an image whose caller has gone, or has
/// waited too long, is dropped before it costs anything.
public final class ClassifyingQueue: Sendable {
  public struct Limits: Sendable {
    /// Images that wait, those in the network not counted.
    public var waiting = 256
    /// Images that go through the network at once.
    public var batch = 32
    /// Pixels that are decoded for a batch, for each thread; a single image may have more.
    public var batchPixels = 25_000_000
    /// Whether its images wait for the cores until no queue of the usual kind does.
    public var urgency = Cores.Urgency.now
    public init() {}
  }

  /// Why an image was not classified, though it may be good.
  public enum Refusal: Error, Hashable, Sendable {
    /// As many images wait as may.
    case full
    /// It waited until its deadline.
    case late
    /// Its caller has gone.
    case dropped
  }

  /// What became of the images so far.
  public struct Statistics: Hashable, Sendable {
    /// Images that went through the network, good or bad.
    public var images = 0
    public var badImages = 0
    public var batches = 0
    public var largestBatch = 0
    public var refused = 0
    public var late = 0
    public var dropped = 0
    /// From the end of the request's body to its result, summed over `images`.
    public var latency = Duration.zero
    public var longestLatency = Duration.zero
    public init() {}
  }

  public let classifier: Classifier
  private let limits: Limits
  private let state = Mutex(State())

  private struct State {
    var waiting = WaitingImages()
    var isRunning = false
    var statistics = Statistics()
  }

  public init(_ classifier: Classifier, limits: Limits = Limits()) {
    self.classifier = classifier
    self.limits = limits
  }

  public var statistics: Statistics { state.withLock(\.statistics) }
  /// Images that wait now.
  public var waitingCount: Int { state.withLock(\.waiting.count) }

  /// Takes an image in.
  ///
  /// - Parameters:
  ///   - image: a whole JPEG or PNG file.
  ///   - client: who sent it, such as an address.
  ///   - deadline: an image that waits longer than this is not begun any more.
  /// - Throws: `.full`.
  public func submit(
    _ image: [UInt8], from client: String = "", deadline: ContinuousClock.Instant
  ) throws(Refusal) -> Ticket {
    let ticket = Ticket(image, from: client, deadline: deadline)
    let starts: Bool? = state.withLock { state in
      guard state.waiting.count < limits.waiting else {
        state.statistics.refused += 1
        return nil
      }
      state.waiting.add(ticket)
      defer { state.isRunning = true }
      return !state.isRunning
    }
    guard let starts else { throw .full }
    if starts { askForTurn() }
    return ticket
  }

  private func askForTurn() { classifier.onOwnThread(limits.urgency) { self.run() } }

  /// Classifies a batch, and asks for another turn until nothing waits: other queues may have theirs in between.
  private func run() {
    guard let batch = takeBatch() else { return }
    if !batch.isEmpty {
      let results = classifier.classifyHere(batch.map(\.image))
      let end = ContinuousClock.now
      record(batch, results, end: end)
      for (ticket, result) in zip(batch, results) { ticket.finish(.classified(result)) }
    }
    askForTurn()
  }

  /// What goes through the network next; nil where nothing waits, and then the next image starts a new run.
  private func takeBatch() -> [Ticket]? {
    let now = ContinuousClock.now
    var late: [Ticket] = []
    let batch: [Ticket]? = state.withLock { state in
      var batch: [Ticket] = []
      let most = min(limits.batch, classifier.largestBatch)
      let (whole, isUnbounded) = limits.batchPixels.multipliedReportingOverflow(by: classifier.threadCount)
      var left = isUnbounded ? Int.max : whole
      state.waiting.beginBatch()
      while batch.count < most, let ticket = state.waiting.take(costing: batch.isEmpty ? .max : left) {
        if ticket.deadline < now {
          late.append(ticket)
        } else if ticket.begin() {
          batch.append(ticket)
          left -= min(left, ticket.cost)
        } else {
          state.statistics.dropped += 1
        }
      }
      state.statistics.late += late.count
      if batch.isEmpty && state.waiting.count == 0 && late.isEmpty {
        state.isRunning = false
        return nil
      }
      return batch
    }
    for ticket in late { ticket.finish(.refused(.late)) }
    return batch
  }

  private func record(
    _ batch: [Ticket], _ results: [Result<[Float], ClassificationError>], end: ContinuousClock.Instant
  ) {
    state.withLock { state in
      state.statistics.images += batch.count
      state.statistics.badImages += results.count { if case .failure = $0 { true } else { false } }
      state.statistics.batches += 1
      state.statistics.largestBatch = max(state.statistics.largestBatch, batch.count)
      for ticket in batch {
        let latency = end - ticket.start
        state.statistics.latency += latency
        state.statistics.longestLatency = max(state.statistics.longestLatency, latency)
      }
    }
  }
}

extension ClassifyingQueue {
  /// An image's place in the queue.
  public final class Ticket: Sendable {
    let image: [UInt8]
    let client: ByteName
    /// See `WaitingImages.cost`.
    let cost: Int
    let deadline: ContinuousClock.Instant
    let start = ContinuousClock.now
    private let state = Mutex(State.waiting(nil))

    enum Outcome: Sendable {
      case classified(Result<[Float], ClassificationError>)
      case refused(Refusal)
    }

    private enum State {
      case waiting(CheckedContinuation<Outcome, Never>?)
      case begun(CheckedContinuation<Outcome, Never>?)
      case done(Outcome)
    }

    init(_ image: [UInt8], from client: String, deadline: ContinuousClock.Instant) {
      self.image = image
      self.client = ByteName(client)
      cost = WaitingImages.cost(of: image)
      self.deadline = deadline
    }

    /// Waits for the probabilities; to be called once.
    ///
    /// - Throws: `ClassificationError`; `Refusal.late`, `.dropped`.
    public func probabilities() async throws -> [Float] {
      let outcome = await withCheckedContinuation { continuation in
        let outcome: Outcome? = state.withLock { state in
          switch state {
          case .waiting: state = .waiting(continuation)
          case .begun: state = .begun(continuation)
          case .done(let outcome): return outcome
          }
          return nil
        }
        if let outcome { continuation.resume(returning: outcome) }
      }
      switch outcome {
      case .classified(let result): return try result.get()
      case .refused(let refusal): throw refusal
      }
    }

    /// Gives the place up, unless the image is in the network already.
    public func drop() {
      let continuation = state.withLock { state -> CheckedContinuation<Outcome, Never>? in
        guard case .waiting(let continuation) = state else { return nil }
        state = .done(.refused(.dropped))
        return continuation
      }
      continuation?.resume(returning: .refused(.dropped))
    }

    /// - Returns: `false` where it was dropped.
    func begin() -> Bool {
      state.withLock { state in
        guard case .waiting(let continuation) = state else { return false }
        state = .begun(continuation)
        return true
      }
    }

    func finish(_ outcome: Outcome) {
      let continuation = state.withLock { state -> CheckedContinuation<Outcome, Never>? in
        switch state {
        case .waiting(let continuation), .begun(let continuation):
          state = .done(outcome)
          return continuation
        case .done: return nil
        }
      }
      continuation?.resume(returning: outcome)
    }
  }
}

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

/// The cores of a machine as all its classifiers share them: one pool of threads, and one thread that runs networks, a
/// batch at a time.
///
/// Two networks side by side would ask for each core twice and push each other's weights out of the caches, so that both
/// took more than twice as long. Taken in turns, a batch of each, every network has all cores while it runs, and none
/// waits longer than for one batch of each other.
public final class Cores: Sendable {
  /// Whose batches are taken first.
  public enum Urgency: Sendable {
    /// Somebody waits for it.
    case now
    /// It is run only while nothing of the other kind waits; what has begun is finished.
    case spare
  }

  public let workers: Workers
  private let thread = DispatchQueue(label: "imrec.inference")
  private let turns = Mutex(Turns())

  private struct Turns {
    var now: [@Sendable () -> Void] = []
    var spare: [@Sendable () -> Void] = []
    var isRunning = false

    mutating func next() -> (@Sendable () -> Void)? {
      if !now.isEmpty { return now.removeFirst() }
      return spare.isEmpty ? nil : spare.removeFirst()
    }
  }

  public init(_ workers: Workers) { self.workers = workers }

  /// Runs `body` on the thread of networks, behind what waits there with the same urgency.
  ///
  /// A queue of images asks for one turn at a time, so that not more wait than there are queues.
  func run(_ urgency: Urgency = .now, _ body: @escaping @Sendable () -> Void) {
    let starts = turns.withLock { turns in
      switch urgency {
      case .now: turns.now.append(body)
      case .spare: turns.spare.append(body)
      }
      defer { turns.isRunning = true }
      return !turns.isRunning
    }
    if starts { thread.async { self.takeTurns() } }
  }

  private func takeTurns() {
    while let turn = takeTurn() { turn() }
  }

  private func takeTurn() -> (@Sendable () -> Void)? {
    turns.withLock { turns in
      let turn = turns.next()
      turns.isRunning = turn != nil
      return turn
    }
  }
}

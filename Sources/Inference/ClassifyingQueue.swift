import Dispatch
import Files
import Imaging
public import Networks
import Synchronization

/// Images that come one by one, from many callers at once, classified in batches.
///
/// When the network is free, everything that waits goes through it together; nothing waits for a batch to fill. Clients
/// take turns, and so do small images and large ones (`WaitingImages`). The queue is bounded, and an image whose caller
/// has gone, or that has waited too long, is dropped before it costs anything.
public final class ClassifyingQueue: Sendable {
  /// The bounds of a queue.
  public struct Limits: Sendable {
    /// The most images that wait, not counting those in the network.
    public var waiting = 256
    /// The most images of a batch.
    public var batch = 32
    /// The most pixels that each thread decodes for a batch; a single image may have more.
    public var batchPixels = 25_000_000
    /// Whether the queue's images wait until no queue of the usual urgency needs the cores.
    public var urgency = Cores.Urgency.now
    /// The bounds of a service.
    public init() {}
  }

  /// Why an image was not classified, though it may be good.
  public enum Refusal: Error, Hashable, Sendable {
    /// As many images are waiting as may.
    case full
    /// It waited past its deadline.
    case late
    /// Its caller has gone.
    case dropped
  }

  /// What has become of the images so far.
  public struct Statistics: Hashable, Sendable {
    /// Images that were classified, good and bad ones.
    public var images = 0
    /// Images that have no probabilities: those that could not be decoded, or whose outputs were not finite.
    public var badImages = 0
    /// Batches that were run.
    public var batches = 0
    /// Images of the largest batch.
    public var largestBatch = 0
    /// Images that were not taken because the queue was full.
    public var refused = 0
    /// Images that waited past their deadline.
    public var late = 0
    /// Images whose caller had gone.
    public var dropped = 0
    /// The time from `submit` to the result, summed over `images`.
    public var latency = Duration.zero
    /// The longest time from `submit` to a result.
    public var longestLatency = Duration.zero
    /// Nothing yet.
    public init() {}
  }

  /// What classifies the images.
  public let classifier: Classifier
  private let limits: Limits
  private let state = Mutex(State())

  private struct State {
    var waiting = WaitingImages()
    var isRunning = false
    var statistics = Statistics()
  }

  /// An empty queue.
  public init(_ classifier: Classifier, limits: Limits = Limits()) {
    self.classifier = classifier
    self.limits = limits
  }

  /// What has become of the images so far.
  public var statistics: Statistics { state.withLock(\.statistics) }
  /// How many images are waiting now.
  public var waitingCount: Int { state.withLock(\.waiting.count) }

  /// Adds an image to the queue.
  ///
  /// - Parameters:
  ///   - image: a whole JPEG or PNG file.
  ///   - client: who sent it, such as an address.
  ///   - deadline: an image that is still waiting then is not classified any more.
  /// - Returns: the image's place in the queue, which gives its probabilities.
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

  /// Classifies a batch, and asks for another turn until nothing waits; other queues may have turns in between.
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

  /// The images that go through the network next; nil where nothing waits, and then the next image starts a new run.
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
    /// The cost of decoding it; see `WaitingImages.cost`.
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

    /// Waits for the probabilities; must be called at most once.
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

    /// Gives up the place, unless the image is in the network already.
    public func drop() {
      let continuation = state.withLock { state -> CheckedContinuation<Outcome, Never>? in
        guard case .waiting(let continuation) = state else { return nil }
        state = .done(.refused(.dropped))
        return continuation
      }
      continuation?.resume(returning: .refused(.dropped))
    }

    /// Marks the image as being in the network.
    /// - Returns: false where it was dropped.
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

/// The images that wait, and which of them are next.
///
/// Expensive images have a lane of their own. The lanes take turns, and a batch is taken from one of them: a photograph
/// waits for one batch of huge images and not for all of them. Within a lane clients take turns, so that one that sends
/// many images does not hold up the others.
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

    /// The next image; nil where none waits, or it costs more than this.
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
  private var expensive = Lane()
  private var isExpensiveNext = false
  private(set) var count = 0

  /// Images that cost more than this are expensive: some 4 million pixels.
  static let expensiveCost = 4_000_000

  mutating func add(_ ticket: Ticket) {
    count += 1
    if ticket.cost > Self.expensiveCost { expensive.add(ticket) } else { cheap.add(ticket) }
  }

  /// Begins a batch: of the lane whose turn it is, if something waits there.
  mutating func beginBatch() {
    isExpensiveNext = cheap.clients.isEmpty || (!isExpensiveNext && !expensive.clients.isEmpty)
  }

  /// The next image of the batch; nil where none waits in the batch's lane, or it costs more than the limit.
  mutating func take(costing limit: Int) -> Ticket? {
    let ticket = isExpensiveNext ? expensive.take(costing: limit) : cheap.take(costing: limit)
    if ticket != nil { count -= 1 }
    return ticket
  }

  /// The cost of making an image's tensor, in pixels of a JPEG; 0 for bytes that are not an image.
  static func cost(of image: [UInt8]) -> Int {
    guard let info = try? probe(image.span) else { return 0 }
    let (pixels, isHuge) = info.width.multipliedReportingOverflow(by: info.height)
    // A byte takes as long to decode as some pixels, and few pixels may have many bytes.
    let (cost, isHuger) = pixels.addingReportingOverflow(4 * image.count)
    return isHuge || isHuger ? .max : cost
  }
}

/// The images of one client, in the order in which they came.
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

/// The cores of a machine, shared by all classifiers of a program: one pool of threads, and one thread that runs the
/// networks, a batch at a time.
///
/// Two networks at the same time would use each core twice and evict each other's weights from the caches, so that both
/// would take more than twice as long. In turns, a batch of each, every network has all cores while it runs, and none
/// waits longer than for one batch of each other network.
public final class Cores: Sendable {
  /// Which batches are run first.
  public enum Urgency: Sendable {
    /// Somebody is waiting for the result.
    case now
    /// It is run only while nothing of the other kind waits; a batch that has begun is finished.
    case spare
  }

  /// The threads that decode and compute.
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

  /// Cores that compute with these threads.
  public init(_ workers: Workers) { self.workers = workers }

  /// Runs `body` on the thread of networks, after what waits there with the same urgency.
  ///
  /// A queue of images asks for one turn at a time, so that no more turns wait than there are queues.
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

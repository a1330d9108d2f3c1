import Files
import Synchronization

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

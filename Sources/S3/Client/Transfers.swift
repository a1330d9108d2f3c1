import CCurl
import Dispatch
import Synchronization

/// A request of HTTP to another server.
struct Transfer: Sendable {
  var method: String
  var url: String
  /// As they are sent; libcurl adds `Host` and `Content-Length`.
  var headers: [(name: String, value: String)] = []
  /// nil: the method has none.
  var body: [UInt8]?
  /// A longer answer is an error. What a refusal says counts as far as its first MiB, whatever this is.
  var largestAnswer: Int
  /// Ends a transfer in which nothing moves for so long.
  var silence: Duration

  struct Answer: Sendable {
    var status = 0
    /// Names in lower case.
    var headers: [(name: String, value: String)] = []
    var body: [UInt8] = []

    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
  }

  /// Why there is no answer.
  struct Failure: Error, CustomStringConvertible {
    let description: String
    /// Another attempt may go better: the connection failed, not the request.
    let mayPass: Bool
  }

  /// Sends the request and waits for the whole answer, whatever its status. Redirections are followed.
  ///
  /// The environment's `http_proxy`, `https_proxy` and `no_proxy` count, as for every program of libcurl's.
  /// - Throws: `Failure`; `CancellationError` at once where the task is cancelled.
  func answer() async throws -> Answer {
    let place = Mutex<UInt64?>(nil)
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let number = Transfers.shared.start(self) { continuation.resume(with: $0) }
        place.withLock { $0 = number }
        // Cancelled before there was a number to cancel by.
        if Task.isCancelled { Transfers.shared.cancel(number) }
      }
    } onCancel: {
      if let number = place.withLock({ $0 }) { Transfers.shared.cancel(number) }
    }
  }
}

/// All transfers of the process: one thread moves their bytes and keeps their connections, as long as there are any.
@safe private final class Transfers: Sendable {
  typealias Done = @Sendable (Result<Transfer.Answer, any Error>) -> Void
  static let shared = Transfers()

  private struct Waiting: Sendable {
    var nextNumber: UInt64 = 0
    var started: [(number: UInt64, transfer: Transfer, done: Done)] = []
    var cancelled: [UInt64] = []
    var isRunning = false
  }
  private let waiting = Mutex(Waiting())
  private let queue = DispatchQueue(label: "imrec.transfers")
  /// Only the queue uses it; `curl_multi_wakeup` is for everyone.
  nonisolated(unsafe) private let multi: UnsafeMutableRawPointer

  private init() {
    curl_global_init(Int(CURL_GLOBAL_DEFAULT))
    guard let multi = unsafe curl_multi_init() else { preconditionFailure("libcurl has no memory") }
    unsafe self.multi = multi
  }

  func start(_ transfer: Transfer, _ done: @escaping Done) -> UInt64 {
    let (number, isRunning) = waiting.withLock { waiting in
      defer { waiting.isRunning = true }
      waiting.nextNumber += 1
      waiting.started.append((waiting.nextNumber, transfer, done))
      return (waiting.nextNumber, waiting.isRunning)
    }
    if isRunning { unsafe curl_multi_wakeup(multi) } else { queue.async { self.run() } }
    return number
  }

  func cancel(_ number: UInt64) {
    waiting.withLock { $0.cancelled.append(number) }
    unsafe curl_multi_wakeup(multi)
  }

  private func run() {
    var active: [UInt64: ActiveTransfer] = [:]
    while true {
      let (started, cancelled) = waiting.withLock { waiting in
        defer { (waiting.started, waiting.cancelled) = ([], []) }
        return (waiting.started, waiting.cancelled)
      }
      for (number, transfer, done) in started {
        guard let work = ActiveTransfer(transfer, done) else {
          done(.failure(Transfer.Failure(description: "libcurl has no memory", mayPass: true)))
          continue
        }
        active[number] = work
        unsafe curl_multi_add_handle(multi, work.handle)
      }
      for number in cancelled {
        guard let work = active.removeValue(forKey: number) else { continue }
        unsafe curl_multi_remove_handle(multi, work.handle)
        work.done(.failure(CancellationError()))
      }
      if active.isEmpty {
        let isOver = waiting.withLock { waiting in
          if waiting.started.isEmpty { waiting.isRunning = false }
          return !waiting.isRunning
        }
        if isOver { return }
        continue
      }
      move(&active)
    }
  }

  /// Moves what can be moved, answers what is done, and waits for more.
  private func move(_ active: inout [UInt64: ActiveTransfer]) {
    var count: Int32 = 0
    unsafe curl_multi_perform(multi, &count)
    var code = CURLE_OK
    while let handle = unsafe finished_transfer(multi, &code) {
      guard let (number, work) = active.first(where: { unsafe $0.value.handle == handle }) else { continue }
      active[number] = nil
      unsafe curl_multi_remove_handle(multi, handle)
      work.done(work.result(code))
    }
    if !active.isEmpty { unsafe curl_multi_poll(multi, nil, 0, 1000, nil) }
  }
}

/// A transfer with its handle of libcurl's, which ends with it.
@safe private final class ActiveTransfer {
  nonisolated(unsafe) let handle: UnsafeMutableRawPointer
  let done: Transfers.Done
  private let transfer: Transfer
  private var answer = Transfer.Answer()
  private var isTooLong = false
  private var headerList: UnsafeMutablePointer<curl_slist>?

  init?(_ transfer: Transfer, _ done: @escaping Transfers.Done) {
    guard let handle = unsafe curl_easy_init() else { return nil }
    unsafe self.handle = handle
    self.transfer = transfer
    self.done = done
    // Without `Expect: 100-continue` and the type of a form, which libcurl would add.
    for line in ["Expect:", "Content-Type:"] + transfer.headers.map({ "\($0.name): \($0.value)" }) {
      unsafe headerList = curl_slist_append(headerList, line)
    }
    unsafe set_pointer(handle, CURLOPT_HTTPHEADER, headerList)
    unsafe set_text(handle, CURLOPT_URL, transfer.url)
    unsafe set_text(handle, CURLOPT_PROTOCOLS_STR, "http,https")
    unsafe set_text(handle, CURLOPT_REDIR_PROTOCOLS_STR, "http,https")
    for (option, value) in [
      (CURLOPT_PATH_AS_IS, 1), (CURLOPT_NOSIGNAL, 1), (CURLOPT_FOLLOWLOCATION, 1), (CURLOPT_MAXREDIRS, 5),
      (CURLOPT_CONNECTTIMEOUT, seconds), (CURLOPT_LOW_SPEED_LIMIT, 1), (CURLOPT_LOW_SPEED_TIME, seconds),
    ] {
      unsafe set_number(handle, option, value)
    }
    if transfer.method == "HEAD" {
      unsafe set_number(handle, CURLOPT_NOBODY, 1)
    } else {
      if let body = transfer.body {
        unsafe set_large_number(handle, CURLOPT_POSTFIELDSIZE_LARGE, body.count)
        // With a null pointer libcurl would read the body from standard input.
        let filled = body.isEmpty ? [0] : body
        _ = unsafe filled.withUnsafeBytes {
          unsafe set_pointer(handle, CURLOPT_COPYPOSTFIELDS, $0.baseAddress)
        }
      }
      unsafe set_text(handle, CURLOPT_CUSTOMREQUEST, transfer.method)
    }
    let this = unsafe Unmanaged.passUnretained(self).toOpaque()
    unsafe set_pointer(handle, CURLOPT_HEADERDATA, this)
    unsafe set_receiver(handle, CURLOPT_HEADERFUNCTION) { bytes, _, count, this in
      unsafe ActiveTransfer.of(this).takeHeader(UnsafeBufferPointer(start: bytes, count: count))
      return count
    }
    unsafe set_pointer(handle, CURLOPT_WRITEDATA, this)
    unsafe set_receiver(handle, CURLOPT_WRITEFUNCTION) { bytes, _, count, this in
      unsafe ActiveTransfer.of(this).take(UnsafeRawBufferPointer(start: bytes, count: count)) ? count : 0
    }
  }

  deinit {
    unsafe curl_easy_cleanup(handle)
    unsafe curl_slist_free_all(headerList)
  }

  private static func of(_ pointer: UnsafeMutableRawPointer?) -> ActiveTransfer {
    guard let pointer = unsafe pointer else { preconditionFailure("libcurl gives back what it was given") }
    return unsafe Unmanaged.fromOpaque(pointer).takeUnretainedValue()
  }

  private var seconds: Int { max(1, Int(transfer.silence.components.seconds)) }

  private func takeHeader(_ bytes: UnsafeBufferPointer<CChar>) {
    let line = unsafe bytes.map { UInt8(bitPattern: $0) }.filter { $0 != 0x0D && $0 != 0x0A }
    // A status line begins what counts: those before were of redirections and of 100 Continue.
    if line.starts(with: "HTTP/".utf8) {
      answer = Transfer.Answer()
      return
    }
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return }
    let value = line[(colon + 1)...].drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    answer.headers.append(
      (String(decoding: line[..<colon], as: UTF8.self).lowercased(), String(decoding: value, as: UTF8.self)))
  }

  /// - Returns: false where the answer is longer than it may be.
  private func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
    if !(200..<300).contains(unsafe get_number(handle, CURLINFO_RESPONSE_CODE)) {
      unsafe answer.body.append(contentsOf: bytes.prefix((1 << 20) - answer.body.count))
      return true
    }
    guard bytes.count <= transfer.largestAnswer - answer.body.count else {
      isTooLong = true
      return false
    }
    unsafe answer.body.append(contentsOf: bytes)
    return true
  }

  func result(_ code: CURLcode) -> Result<Transfer.Answer, any Error> {
    if isTooLong {
      return .failure(
        Transfer.Failure(
          description: "the answer is longer than \(transfer.largestAnswer) bytes", mayPass: false))
    }
    guard code == CURLE_OK else {
      let words = unsafe String(cString: curl_easy_strerror(code))
      let isFinal = [
        CURLE_URL_MALFORMAT, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
        CURLE_UNSUPPORTED_PROTOCOL,
        CURLE_TOO_MANY_REDIRECTS,
      ].contains(code)
      return .failure(Transfer.Failure(description: words, mayPass: !isFinal))
    }
    answer.status = unsafe get_number(handle, CURLINFO_RESPONSE_CODE)
    return .success(answer)
  }
}

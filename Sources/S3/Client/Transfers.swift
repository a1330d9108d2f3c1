import CCurl
import Dispatch
import Synchronization

/// An HTTP request to another server.
struct Transfer: Sendable {
  var method: String
  var url: String
  /// Sent as given; libcurl adds `Host` and `Content-Length`.
  var headers: [(name: String, value: String)] = []
  /// The request body; nil if the method has none.
  var body: [UInt8]?
  /// The maximum size of a successful response body, in bytes; a larger one is an error. Of an error
  /// response, only the first MiB is kept.
  var largestAnswer: Int
  /// How long the transfer may make no progress before it fails.
  var silence: Duration

  struct Answer: Sendable {
    var status = 0
    /// Header names in lower case.
    var headers: [(name: String, value: String)] = []
    var body: [UInt8] = []

    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
  }

  /// Why there is no response.
  struct Failure: Error, CustomStringConvertible {
    let description: String
    /// Whether a retry may succeed: the connection failed, not the request.
    let mayPass: Bool
  }

  /// Sends the request and waits for the whole response, whatever its status. Follows up to 5 redirects.
  ///
  /// Respects the environment variables `http_proxy`, `https_proxy` and `no_proxy`, as every libcurl program
  /// does.
  /// - Throws: `Failure`; `CancellationError` as soon as the task is cancelled.
  func answer() async throws -> Answer {
    let place = Mutex<UInt64?>(nil)
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let number = Transfers.shared.start(self) { continuation.resume(with: $0) }
        place.withLock { $0 = number }
        // The task may have been cancelled before the handler could see the number.
        if Task.isCancelled { Transfers.shared.cancel(number) }
      }
    } onCancel: {
      if let number = place.withLock({ $0 }) { Transfers.shared.cancel(number) }
    }
  }
}

/// Runs all transfers of the process on one thread, which lives as long as there are transfers. Connections
/// are reused.
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
  /// Used only on the queue, except for `curl_multi_wakeup`, which is thread-safe.
  nonisolated(unsafe) private let multi: UnsafeMutableRawPointer

  private init() {
    curl_global_init(Int(CURL_GLOBAL_DEFAULT))
    guard let multi = unsafe curl_multi_init() else {
      preconditionFailure("libcurl could not allocate memory")
    }
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
          done(.failure(Transfer.Failure(description: "libcurl could not allocate memory", mayPass: true)))
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

  /// Moves the bytes that can be moved, completes finished transfers, and waits for more.
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

/// A transfer and the libcurl handle that it owns.
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
    // Suppress the `Expect: 100-continue` and the form content type that libcurl would add.
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
        // Given a null pointer, libcurl would read the body from standard input.
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
    guard let pointer = unsafe pointer else {
      preconditionFailure("libcurl must pass back the pointer that it was given")
    }
    return unsafe Unmanaged.fromOpaque(pointer).takeUnretainedValue()
  }

  private var seconds: Int { max(1, Int(transfer.silence.components.seconds)) }

  private func takeHeader(_ bytes: UnsafeBufferPointer<CChar>) {
    let line = unsafe bytes.map { UInt8(bitPattern: $0) }.filter { $0 != 0x0D && $0 != 0x0A }
    // Each status line starts over: earlier ones belong to redirects or to 100 Continue.
    if line.starts(with: "HTTP/".utf8) {
      answer = Transfer.Answer()
      return
    }
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return }
    let value = line[(colon + 1)...].drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    answer.headers.append(
      (String(decoding: line[..<colon], as: UTF8.self).lowercased(), String(decoding: value, as: UTF8.self)))
  }

  /// - Returns: `false` if the body exceeds `largestAnswer`.
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
          description: "the response is longer than \(transfer.largestAnswer) bytes", mayPass: false))
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

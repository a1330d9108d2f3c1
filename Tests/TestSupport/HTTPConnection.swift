import Glibc

/// A connection to a server on this machine, byte by byte: so that tests can be a client as bad as they like.
public final class HTTPConnection {
  private let descriptor: Int32
  private var received: [UInt8] = []

  public struct Reply: Sendable, CustomStringConvertible {
    public let status: Int
    /// Names in lower case.
    public let headers: [String: String]
    public let body: [UInt8]

    public var text: String { String(decoding: body, as: UTF8.self) }
    public var description: String { "\(status) \(headers) \(text)" }
  }

  /// - Parameter seconds: nothing read or written for so long is an error.
  public init?(port: Int, seconds: Int = 120) {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var time = timeval(tv_sec: seconds, tv_usec: 0)
    let length = socklen_t(MemoryLayout<timeval>.size)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, length)
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, length)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else {
      close(descriptor)
      return nil
    }
  }

  deinit { close(descriptor) }

  /// - Returns: whether all was taken.
  @discardableResult
  public func send(_ bytes: some Collection<UInt8>) -> Bool {
    let bytes = Array(bytes)
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress! + done, bytes.count - done, Int32(MSG_NOSIGNAL))
      }
      if count <= 0 { return false }
      done += count
    }
    return true
  }

  /// Sends no more; what comes is still read.
  public func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// One whole request; `Content-Length` and `Host` are added.
  @discardableResult
  public func send(_ method: String, _ path: String, _ headers: [String: String] = [:], body: [UInt8] = [])
    -> Bool
  {
    var head = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    for (name, value) in headers { head += "\(name): \(value)\r\n" }
    if headers["Content-Length"] == nil && headers["Transfer-Encoding"] == nil {
      head += "Content-Length: \(body.count)\r\n"
    }
    return send(Array((head + "\r\n").utf8) + body)
  }

  /// The next reply; nil where the server has closed the connection or nothing comes.
  public func reply() -> Reply? {
    guard let head = readHead() else { return nil }
    let lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n")
    let words = lines.first?.split(separator: " ") ?? []
    guard words.count >= 2, let status = Int(words[1]) else { return nil }
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { continue }
      headers[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " })
    }
    let count = headers["content-length"].flatMap { Int($0) } ?? 0
    while received.count < count { if !receive() { return nil } }
    let body = Array(received.prefix(count))
    received.removeFirst(count)
    return Reply(status: status, headers: headers, body: body)
  }

  /// Whether the server closes the connection, with what it sends before thrown away.
  public func isClosedByServer() -> Bool {
    while receive() {}
    var byte: UInt8 = 0
    let count = recv(descriptor, &byte, 1, 0)
    return count == 0 || (count < 0 && errno == ECONNRESET)
  }

  /// Whether these words come before the server closes the connection; what came stays to be read.
  public func waits(for words: String) -> Bool {
    while !String(decoding: received, as: UTF8.self).contains(words) { if !receive() { return false } }
    return true
  }

  /// All that comes until the server closes the connection.
  public func everything() -> String {
    while receive() {}
    defer { received = [] }
    return String(decoding: received, as: UTF8.self)
  }

  private func readHead() -> [UInt8]? {
    let end: [UInt8] = [13, 10, 13, 10]
    while true {
      if let place = received.indices.first(where: { received[$0...].starts(with: end) }) {
        defer { received.removeFirst(place + 4) }
        return Array(received[..<place])
      }
      if !receive() { return nil }
    }
  }

  private func receive() -> Bool {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    guard count > 0 else { return false }
    received += buffer.prefix(count)
    return true
  }
}

import HTTPTypes
import Hummingbird

/// Who may ask: pages of this server and people, not other sites that people have open.
struct RequestOrigin: Sendable {
  /// Names beside the machine's own loopback ones under which the server is reached, in lower case.
  let names: Set<String>

  init(names: [String] = []) {
    // An address of IPv6 is in brackets in a Host.
    self.names = Set(
      names.map { $0.contains(":") && !$0.hasPrefix("[") ? "[\($0.lowercased())]" : $0.lowercased() })
  }

  /// Whether the request's Host is a name of this server. A page whose own name was pointed at this machine after it was
  /// loaded (DNS rebinding) has another one.
  func isOurs(_ request: Request) -> Bool {
    guard let authority = request.head.authority else { return false }
    let name = Self.hostName(authority).lowercased()
    return names.contains(name) || Self.isLoopback(name)
  }

  /// Whether a form that changes something comes from a page of this server.
  func isSameSite(_ request: Request) -> Bool {
    if let site = request.headers[.name("Sec-Fetch-Site")] { return site == "same-origin" }
    guard let origin = request.headers[.origin], let authority = request.head.authority
    else { return false }
    return origin == "http://\(authority)" || origin == "https://\(authority)"
  }

  static func isLoopback(_ name: String) -> Bool {
    if ["localhost", "[::1]"].contains(name) || name.hasSuffix(".localhost") { return true }
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
  }

  /// `host:port` and `[::1]:port` without the port.
  private static func hostName(_ authority: String) -> String {
    if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") { return String(authority[...end]) }
    return String(authority.prefix { $0 != ":" })
  }
}

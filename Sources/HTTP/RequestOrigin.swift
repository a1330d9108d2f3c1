import Files
package import HTTPTypes

/// Decides which requests to accept: from programs, from people, and from pages of this server, but not from
/// pages of other sites that happen to be open in a browser.
///
/// A browser lets any page send requests to this machine and only hides the responses from it. A page whose
/// host name is re-pointed to this machine after it was loaded (DNS rebinding) can even read the responses.
/// Browsers reveal where a request comes from with Host, Origin and Sec-Fetch-Site; other programs send only
/// Host.
package struct RequestOrigin: Sendable {
  /// Lower-case, without a port; IPv6 addresses in brackets.
  private let hosts: Set<ByteName>
  private let answersToAllHosts: Bool
  /// Lower-case: `http://name:port`.
  private let origins: Set<ByteName>
  private let isPage: @Sendable (String) -> Bool

  /// - Parameters:
  ///   - hosts: names and addresses of this server, without a port, in addition to the loopback names and the
  ///     address that a connection came in on; `*` accepts every name.
  ///   - origins: other sites, `http://name:port`, whose pages may send requests.
  ///   - isPage: whether a path is a page for people; other sites may link to it.
  package init(
    hosts: [String] = [], origins: [String] = [],
    isPage: @escaping @Sendable (String) -> Bool = { _ in false }
  ) {
    self.hosts = Set(hosts.map { ByteName(Self.bracketed($0.lowercased())) })
    answersToAllHosts = hosts.contains { hasSameBytes($0, "*") }
    self.origins = Set(origins.map { ByteName($0.lowercased()) })
    self.isPage = isPage
  }

  /// Why a request must be refused; nil if it may be answered.
  ///
  /// - Parameter address: this machine's address that the connection came in on.
  package func refusal(of request: HTTPRequest, at address: String?) -> String? {
    guard let authority = request.authority else { return "The request has no Host header." }
    guard isOurs(Self.hostName(authority).lowercased(), address) else {
      return
        "This server does not answer to the host name \(shown(authority)); whoever starts it can allow the name."
    }
    if let origin = request.headerFields[.origin] {
      if origins.contains(ByteName(origin.lowercased())) { return nil }
      guard Self.isSame(origin, authority) else { return Self.elsewhere(shown(origin)) }
    }
    switch request.headerFields[.fetchSite] {
    case nil, "same-origin", "none": return nil
    default: return isLink(request) ? nil : Self.elsewhere("another site")
    }
  }

  /// The `Origin` of the request if it is an allowed site; browsers need it in `Access-Control-Allow-Origin`.
  package func allowedSite(of request: HTTPRequest) -> String? {
    request.headerFields[.origin].flatMap { origins.contains(ByteName($0.lowercased())) ? $0 : nil }
  }

  /// Whether a form submission comes from a page of this server; always `false` for other programs.
  package func isOwnForm(_ request: HTTPRequest) -> Bool {
    if let site = request.headerFields[.fetchSite] { return site == "same-origin" }
    guard let origin = request.headerFields[.origin], let authority = request.authority else { return false }
    return Self.isSame(origin, authority)
  }

  private static func elsewhere(_ site: String) -> String {
    "This request was sent by a page of \(site) and was refused; whoever starts the server can allow its pages."
  }

  /// A link from another site to a page is harmless: the user sees the page, the other site does not.
  private func isLink(_ request: HTTPRequest) -> Bool {
    let path = (request.path ?? "").prefix { $0 != "?" }
    return request.method == .get && request.headerFields[.fetchMode] == "navigate"
      && request.headerFields[.fetchDestination] == "document" && isPage(String(path))
  }

  private func isOurs(_ name: String, _ address: String?) -> Bool {
    if answersToAllHosts || Self.isLoopback(name) || hosts.contains(ByteName(name)) { return true }
    guard var address else { return false }
    // An IPv4 address on a dual-stack socket.
    if address.hasBytePrefix("::ffff:") { address.removeFirst("::ffff:".count) }
    return hasSameBytes(Self.bracketed(address.lowercased()), name)
  }

  private static func isSame(_ origin: String, _ authority: String) -> Bool {
    let (origin, authority) = (origin.lowercased(), authority.lowercased())
    return ["http://", "https://"].contains { hasSameBytes(origin, $0 + authority) }
  }

  static func isLoopback(_ name: String) -> Bool {
    if ["localhost", "[::1]"].contains(where: { hasSameBytes($0, name) }) || name.hasByteSuffix(".localhost")
    {
      return true
    }
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
  }

  /// Puts an IPv6 address in brackets, as the Host header has it.
  private static func bracketed(_ name: String) -> String {
    name.utf8.contains(UInt8(ascii: ":")) && name.utf8.first != UInt8(ascii: "[") ? "[\(name)]" : name
  }

  /// Strips the port from `host:port` or `[::1]:port`.
  private static func hostName(_ authority: String) -> String {
    if authority.utf8.first == UInt8(ascii: "["), let end = authority.firstIndex(of: "]") {
      return String(authority[...end])
    }
    return String(authority.prefix { $0 != ":" })
  }
}

extension HTTPField.Name {
  package static let fetchSite = name("Sec-Fetch-Site")
  package static let fetchMode = name("Sec-Fetch-Mode")
  package static let fetchDestination = name("Sec-Fetch-Dest")
  package static let allowedOrigin = name("Access-Control-Allow-Origin")
  package static let allowedMethods = name("Access-Control-Allow-Methods")
  package static let allowedHeaders = name("Access-Control-Allow-Headers")
  package static let exposedHeaders = name("Access-Control-Expose-Headers")
  package static let wantedMethod = name("Access-Control-Request-Method")
  package static let wantedHeaders = name("Access-Control-Request-Headers")
  package static let contentTypeOptions = name("X-Content-Type-Options")

  /// A header name known at compile time.
  ///
  /// - Precondition: `text` is a valid header name.
  package static func name(_ text: String) -> HTTPField.Name {
    guard let name = HTTPField.Name(text) else { preconditionFailure("'\(text)' is not a valid header name") }
    return name
  }
}

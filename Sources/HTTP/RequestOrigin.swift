import Files
package import HTTPTypes

/// Who may ask: programs, people, and the pages of this server; not the pages of other sites that people have open.
///
/// A browser lets every page send requests to this machine and only hides the answers from it; and a page whose own name
/// is pointed at this machine after it was loaded (DNS rebinding) reads the answers, too. A browser says where a request
/// comes from by Host, Origin and Sec-Fetch-Site. Programs send Host alone.
package struct RequestOrigin: Sendable {
  /// In lower case, without a port; an address of IPv6 in brackets.
  private let hosts: Set<ByteName>
  private let answersToAllHosts: Bool
  /// In lower case: `http://name:port`.
  private let origins: Set<ByteName>
  private let isPage: @Sendable (String) -> Bool

  /// - Parameters:
  ///   - hosts: names and addresses, without a port, under which the server is reached beside those of the loopback and
  ///     the address that a connection came to; `*`: all.
  ///   - origins: other sites, `http://name:port`, whose pages may ask.
  ///   - isPage: whether a path is that of a page for people: links of other sites may lead there.
  package init(
    hosts: [String] = [], origins: [String] = [],
    isPage: @escaping @Sendable (String) -> Bool = { _ in false }
  ) {
    self.hosts = Set(hosts.map { ByteName(Self.bracketed($0.lowercased())) })
    answersToAllHosts = hosts.contains { hasSameBytes($0, "*") }
    self.origins = Set(origins.map { ByteName($0.lowercased()) })
    self.isPage = isPage
  }

  /// Why a request is not answered; nil where it may be.
  ///
  /// - Parameter address: the one of this machine that the connection came to.
  package func refusal(of request: HTTPRequest, at address: String?) -> String? {
    guard let authority = request.authority else { return "The request names no host." }
    guard isOurs(Self.hostName(authority).lowercased(), address) else {
      return "This server does not go by the name \(shown(authority)); whoever starts it can allow the name."
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

  /// The site whose page asks, where it is one of those that were allowed: browsers want to read that it may.
  package func allowedSite(of request: HTTPRequest) -> String? {
    request.headerFields[.origin].flatMap { origins.contains(ByteName($0.lowercased())) ? $0 : nil }
  }

  /// Whether a form that changes something comes from a page of this server; programs do not send it.
  package func isOwnForm(_ request: HTTPRequest) -> Bool {
    if let site = request.headerFields[.fetchSite] { return site == "same-origin" }
    guard let origin = request.headerFields[.origin], let authority = request.authority else { return false }
    return Self.isSame(origin, authority)
  }

  private static func elsewhere(_ site: String) -> String {
    "This request was sent by a page of \(site), so nothing was done; whoever starts this server can allow its pages."
  }

  /// Who follows a link sees a page; the page that has the link does not.
  private func isLink(_ request: HTTPRequest) -> Bool {
    let path = (request.path ?? "").prefix { $0 != "?" }
    return request.method == .get && request.headerFields[.fetchMode] == "navigate"
      && request.headerFields[.fetchDestination] == "document" && isPage(String(path))
  }

  private func isOurs(_ name: String, _ address: String?) -> Bool {
    if answersToAllHosts || Self.isLoopback(name) || hosts.contains(ByteName(name)) { return true }
    guard var address else { return false }
    // An address of IPv4 on a socket of both kinds.
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

  /// An address of IPv6 as a Host has it.
  private static func bracketed(_ name: String) -> String {
    name.utf8.contains(UInt8(ascii: ":")) && name.utf8.first != UInt8(ascii: "[") ? "[\(name)]" : name
  }

  /// `host:port` and `[::1]:port` without the port.
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

  /// A name that stands in this program.
  package static func name(_ text: String) -> HTTPField.Name {
    guard let name = HTTPField.Name(text) else { preconditionFailure("\(text) is no name of a header") }
    return name
  }
}

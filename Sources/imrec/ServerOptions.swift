import ArgumentParser
import Endpoints

/// Which clients a server accepts, and how many at once: the options that `host` and `serve` share.
struct ServerOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Another host name to accept, without a port; *: all. (repeatable)",
      valueName: "name"))
  var allowHost: [String] = []
  @Option(
    help: ArgumentHelp(
      "Another site whose pages may send requests, such as http://localhost:8888. (repeatable)",
      valueName: "origin"))
  var allowOrigin: [String] = []
  @Option(
    help: ArgumentHelp(
      "The most connections with an open request; more get status 503, except for /ping. (default: 1024)",
      valueName: "count"),
    transform: wholeNumber(1...100_000))
  var connections = 1024

  func validate() throws {
    for name in allowHost {
      guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"/@?#".utf8.contains($0) }),
        name.utf8.count(where: { $0 == UInt8(ascii: ":") }) != 1
      else {
        throw ValidationError(
          "--allow-host is '\(name)'; a host name or an address is expected, without http:// and a port")
      }
    }
    for site in allowOrigin {
      let rest = ["http://", "https://"].first { site.utf8.starts(with: $0.utf8) }.map {
        site.utf8.dropFirst($0.utf8.count)
      }
      guard let rest, !rest.isEmpty,
        rest.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"/@?#*".utf8.contains($0) })
      else {
        throw ValidationError(
          "--allow-origin is '\(site)'; http:// or https:// and a host name are expected, with a port if it has one and "
            + "without a path: http://localhost:8888")
      }
    }
  }
}

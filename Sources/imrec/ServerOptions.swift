import ArgumentParser
import Endpoints

/// Who may ask a server, and how many at once: the options that `host` and `serve` share.
struct ServerOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Another name that it answers under, without a port; *: all. (may be given more than once)",
      valueName: "name"))
  var allowHost: [String] = []
  @Option(
    help: ArgumentHelp(
      "Another site whose pages may ask, such as http://localhost:8888. (may be given more than once)",
      valueName: "origin"))
  var allowOrigin: [String] = []
  @Option(
    help: ArgumentHelp(
      "Connections with a request in work at once; more get 503, /ping is always answered. (default: 1024)",
      valueName: "count"),
    transform: wholeNumber(1...100_000))
  var connections = 1024

  func validate() throws {
    for name in allowHost {
      guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"/@?#".utf8.contains($0) }),
        name.utf8.count(where: { $0 == UInt8(ascii: ":") }) != 1
      else {
        throw ValidationError(
          "--allow-host is '\(name)'; a name or an address is expected, without http:// and without a port")
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
          "--allow-origin is '\(site)'; http:// or https:// and a name are expected, and a port where it has one, "
            + "without a path: http://localhost:8888")
      }
    }
  }
}

import Encodings
import FoundationEssentials
import Reporting
import S3

extension DashboardService {
  enum Area: CaseIterable {
    case jobs, models, endpoints, s3

    var words: String {
      switch self {
      case .jobs: "Jobs"
      case .models: "Models"
      case .endpoints: "Endpoints"
      case .s3: "S3"
      }
    }
    var href: String {
      switch self {
      case .jobs: "/"
      case .models: "/-/models"
      case .endpoints: "/-/endpoints"
      case .s3: "/-/s3"
      }
    }
  }

  func sitePage(_ heading: String, in area: Area?) -> SitePage {
    var page = SitePage("\(heading) – imrec", heading: heading)
    page.navigation = Area.allCases.map { ($0.words, $0.href, $0 == area) }
    return page
  }

  /// The address of a page for a name.
  static func address(_ pieces: String...) -> String {
    "/-/" + pieces.map { percentEncoded($0.utf8) }.joined(separator: "/")
  }

  static func address(_ job: JobRow) -> String { address("\(job.kind)-jobs", job.name) }

  static func mood(_ status: String) -> Cell.Mood {
    switch status {
    case "Completed", "InService": .good
    case "Failed": .bad
    case "InProgress", "Creating", "Updating", "Stopping", "Deleting": .active
    default: .idle
    }
  }

  /// "2026-11-29 01:22:52"
  static func time(_ date: Date) -> String {
    let style = Date.ISO8601FormatStyle(dateTimeSeparator: .space)
    return String(date.formatted(style).prefix(19))
  }

  static func duration(_ row: JobRow) -> String {
    row.ended.map { durationText($0.timeIntervalSince(row.created)) } ?? "–"
  }

  static func size(_ byteCount: Int) -> String {
    var (value, unit) = (Double(byteCount), 0)
    if byteCount == 1 { return "1\u{A0}byte" }
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024, unit < units.count - 1 { (value, unit) = (value / 1024, unit + 1) }
    return "\(decimal(value, unit == 0 ? 0 : 1))\u{A0}\(units[unit])"
  }

  static func milliseconds(_ duration: Duration?) -> String {
    duration.map { decimal($0 / .milliseconds(1), 1) + "\u{A0}ms" } ?? "–"
  }

  static func factsTable(_ id: String, _ caption: String, _ facts: [Fact]) -> Node? {
    var table = Table(id, caption, text: ["Name", "Value"])
    for fact in facts { table.add([Cell.head(fact.name), Cell.long(fact.value, limit: 160)]) }
    return Block.table(table)
  }

  /// Facts of a page: `s3://` addresses lead to the browser of objects.
  static func add(_ facts: [Fact], to page: inout SitePage) {
    for fact in facts { page.addFact(fact.name, fact.value, href: objectAddress(fact.value)) }
  }

  static func objectAddress(_ value: String) -> String? {
    guard value.utf8.starts(with: "s3://".utf8), let place = S3Location(value) else { return nil }
    let folder = place.key.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(place.key[...$0]) }
    return address("s3", place.bucket) + Query.text([("prefix", folder)])
  }
}

import Encodings
package import Endpoints
import Files
import FoundationEssentials
package import HTTP
import HTTPTypes
package import HummingbirdCore
import NIOCore
import NIOHTTP1
import Reporting
import S3
import SageMaker
import Synchronization

/// The web pages: `/`, and everything else below `/-/`, which is not a valid bucket name.
///
/// Every page works without JavaScript. Pages show the current state of the source and the fleet; the service caches nothing.
package struct DashboardService: Sendable {
  let source: any DashboardSource
  let fleet: EndpointFleet
  private let origin = RequestOrigin()
  let bodies: ReceivedBytes
  let scoring = ScoreOnDemand()
  let painting = OwnThreads()
  let streams = LiveStreams(limit: 64)

  /// - Parameter bodies: counts the bytes of the requests that the whole server has received and not yet answered.
  package init(
    _ source: any DashboardSource, fleet: EndpointFleet, bodies: ReceivedBytes = ReceivedBytes()
  ) {
    self.source = source
    self.fleet = fleet
    self.bodies = bodies
  }

  /// Whether a path belongs to the dashboard.
  package static func serves(_ path: String) -> Bool { path == "/" || path.hasPrefix("/-/") }

  /// Answers a request whose path `serves` accepts. An error becomes an error page.
  ///
  /// - Throws: `CancellationError`.
  package func respond(to request: Request, from client: ClientPresence?) async throws -> Response {
    var response: Response
    do {
      response = try await answer(request, client)
    } catch let error as PageError {
      response = errorPage(error.status, error.description)
      if request.mayHaveBody { response.headers[.connection] = "close" }
    } catch let error as CancellationError {
      throw error
    } catch {
      let (status, sentence) = Self.told(error)
      response = errorPage(status, sentence)
      if request.mayHaveBody { response.headers[.connection] = "close" }
    }
    if request.method == .head {
      let length = response.body.contentLength
      response.body = ResponseBody()
      response.headers[.contentLength] = length.map { "\($0)" }
    }
    return response
  }

  private func answer(_ request: Request, _ client: ClientPresence?) async throws -> Response {
    let query = Query(request.uri.query)
    guard
      let parts = request.uri.path.split(separator: "/").map({ percentDecodedText($0) }) as? [String]
    else { throw PageError.notFound }
    let path = Array(parts.dropFirst())
    if request.method == .post { return try await post(request, path, client) }
    guard request.method == .get || request.method == .head else {
      throw PageError(
        .methodNotAllowed, "This page does not accept the method \(shown(request.method.rawValue)).")
    }
    switch (path.first, path.dropFirst().first, path.count) {
    case (nil, _, _): return page(try await overview(query))
    case ("assets", let name?, 2): return try asset(name)
    case ("training-jobs", let name?, 2): return page(try await trainingJob(name))
    case ("training-jobs", let name?, 3) where path[2] == "events": return try await events(name, client)
    case ("training-jobs", let name?, 3) where path[2] == "report": return try await trainingReport(name)
    case ("tuning-jobs", let name?, 2): return page(try await tuningJob(name))
    case ("transform-jobs", let name?, 2): return page(try await transformJob(name))
    case ("models", _, 1): return page(try await models(query))
    case ("endpoints", _, 1): return page(try await endpoints())
    case ("endpoints", let name?, 2): return page(try await endpoint(name))
    case ("s3", _, 1): return page(try await buckets())
    case ("s3", let bucket?, 2): return page(try await objects(bucket, query))
    case ("object", let bucket?, 2): return try await download(query["key"] ?? "", bucket)
    default: throw PageError.notFound
    }
  }

  /// The status and the sentence of an error page. Errors of the control plane and the object store keep their status; a
  /// malformed HTTP body is the client's fault.
  private static func told(_ error: any Error) -> (HTTPResponse.Status, String) {
    switch error {
    case let error as ControlPlaneError: (.init(code: error.status), error.message)
    case let error as ObjectError: (.init(code: error.statusCode), error.message)
    case is HTTPParserError:
      (.badRequest, "The request body does not match its Content-Length or Transfer-Encoding.")
    default: (.internalServerError, "\(error)")
    }
  }

  private func post(_ request: Request, _ path: [String], _ client: ClientPresence?) async throws -> Response
  {
    guard origin.isOwnForm(request.head) else {
      throw PageError(.forbidden, "This form was submitted from another site, so it was rejected.")
    }
    guard path.count == 3 else { throw PageError.notFound }
    switch (path[0], path[2]) {
    case ("endpoints", "try"): return page(try await tryOut(path[1], request, client))
    case ("transform-jobs", "score"): return try await score(path[1], request)
    default: throw PageError.notFound
    }
  }

  // MARK: - Answers

  func page(_ page: SitePage, status: HTTPResponse.Status = .ok) -> Response {
    var page = page
    page.footer = "imrec on this machine. These pages contact no other server."
    return Response(
      status: status,
      headers: [
        .contentType: "text/html; charset=utf-8", .cacheControl: "no-store",
        .contentSecurityPolicy: SitePage.policy,
      ], body: ResponseBody(byteBuffer: ByteBuffer(string: page.html())))
  }

  /// A report as a page, which contains its own content security policy. The sandbox gives it an opaque origin, so that
  /// nothing in it can submit a form of this server.
  func report(_ html: [UInt8]) -> Response {
    Response(
      status: .ok,
      headers: [
        .contentType: "text/html; charset=utf-8", .cacheControl: "no-store",
        .contentSecurityPolicy: "sandbox allow-scripts; frame-ancestors 'none'",
      ], body: ResponseBody(byteBuffer: ByteBuffer(bytes: html)))
  }

  private func errorPage(_ status: HTTPResponse.Status, _ sentence: String) -> Response {
    var page = sitePage(status == .notFound ? "Not found" : "That did not work", in: nil)
    page.notice = (sentence, false)
    return self.page(page, status: status)
  }

  private func asset(_ name: String) throws -> Response {
    guard let file = [SitePage.style, SitePage.script].first(where: { $0.path == "/-/assets/" + name }) else {
      throw PageError.notFound
    }
    return Response(
      status: .ok,
      headers: [.contentType: file.mediaType, .cacheControl: "public, max-age=31536000, immutable"],
      body: ResponseBody(byteBuffer: ByteBuffer(string: file.text)))
  }

  /// Reads a multipart form into memory.
  ///
  /// - Throws: `PageError` if it is larger than `limit` bytes or malformed, or if the server is receiving too much.
  func form(_ request: Request, limit: Int) async throws -> MultipartForm {
    let length = request.headers[.contentLength].flatMap { Int($0) } ?? 0
    let tooLarge = PageError(.contentTooLarge, "The file is larger than the \(limit >> 20) MiB allowed here.")
    guard length <= limit else { throw tooLarge }
    var body: [UInt8] = []
    defer { bodies.give(back: body.count) }
    for try await part in request.body {
      guard part.readableBytes <= limit - body.count else { throw tooLarge }
      guard bodies.take(part.readableBytes) else {
        throw PageError(.serviceUnavailable, "The server is receiving too much data; try again soon.")
      }
      unsafe part.withUnsafeReadableBytes { unsafe body.append(contentsOf: $0) }
    }
    guard let form = MultipartForm(body, contentType: request.headers[.contentType]) else {
      throw PageError(.badRequest, "The form cannot be read; multipart/form-data is expected.")
    }
    return form
  }
}

/// The status and the sentence of an error page.
struct PageError: Error, CustomStringConvertible {
  let status: HTTPResponse.Status
  let description: String

  init(_ status: HTTPResponse.Status, _ description: String) {
    self.status = status
    self.description = description
  }

  static let notFound = PageError(.notFound, "This page does not exist.")
  static func missing(_ what: String, _ name: String) -> PageError {
    PageError(.notFound, "There is no \(what) \(name).")
  }
}

/// A URL's query parameters; if a name occurs twice, its first value counts. Only the first 100 pairs are read.
struct Query: Sendable {
  private var values: [String: String] = [:]

  init(_ text: String?) {
    for pair in (text ?? "").split(separator: "&").prefix(100) {
      let equals = pair.firstIndex(of: "=") ?? pair.endIndex
      guard let name = percentDecodedText(pair[..<equals], plusIsSpace: true),
        let value = percentDecodedText(
          equals < pair.endIndex ? pair[pair.index(after: equals)...] : "", plusIsSpace: true),
        values[name] == nil
      else { continue }
      values[name] = value
    }
  }

  subscript(name: String) -> String? { values[name] }

  /// A query string for the pairs whose value is not nil, with its `?`; empty if there are none.
  static func text(_ pairs: [(String, String?)]) -> String {
    let set = pairs.compactMap { name, value in value.map { "\(name)=\(percentEncoded($0.utf8))" } }
    return set.isEmpty ? "" : "?" + set.joined(separator: "&")
  }
}

extension DashboardService {
  /// The entries of the navigation bar.
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

  /// The path of a page below `/-/`, percent-encoded.
  static func address(_ pieces: String...) -> String {
    "/-/" + pieces.map { percentEncoded($0.utf8) }.joined(separator: "/")
  }

  static func address(_ job: JobRow) -> String { address("\(job.kind)-jobs", job.name) }

  /// How a status is coloured.
  static func mood(_ status: String) -> Cell.Mood {
    switch status {
    case "Completed", "InService": .good
    case "Failed": .bad
    case "InProgress", "Creating", "Updating", "Stopping", "Deleting": .active
    default: .idle
    }
  }

  /// A time in UTC, such as "2026-11-29 01:22:52".
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

  /// Adds facts to a page; a value that is an `s3://` URI links to the object browser.
  static func add(_ facts: [Fact], to page: inout SitePage) {
    for fact in facts { page.addFact(fact.name, fact.value, href: objectAddress(fact.value)) }
  }

  /// The object browser's page for an `s3://` URI; nil if the value is not one.
  static func objectAddress(_ value: String) -> String? {
    guard value.utf8.starts(with: "s3://".utf8), let place = S3Location(value) else { return nil }
    let folder = place.key.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(place.key[...$0]) }
    return address("s3", place.bucket) + Query.text([("prefix", folder)])
  }
}

extension DashboardService {
  func models(_ query: Query) async throws -> SitePage {
    let listing = try await source.models(ListPage(after: query["after"]))
    var page = sitePage("Models", in: .models)
    var table = Table("models-table", "Models, newest first", text: ["Name", "Created (UTC)", "Data"])
    for model in listing.rows {
      let data = Cell.link(model.dataURL, to: Self.objectAddress(model.dataURL) ?? "/-/s3")
      table.add([
        Cell.head(model.name), Cell.text(Self.time(model.created)),
        model.dataURL.isEmpty ? Cell.text("–") : data,
      ])
    }
    var pager: [Block.Link] = []
    if query["after"] != nil { pager.append(.init("Newest", "/-/models", rel: "first")) }
    if let next = listing.next {
      pager.append(.init("Older", "/-/models" + Query.text([("after", next)]), rel: "next"))
    }
    page.sections = [
      Section(
        "models", "All models",
        [
          Block.table(table) ?? Block.text("No models yet. Create one with boto3's create_model."),
          Block.links(pager),
        ])
    ]
    return page
  }

  func buckets() async throws -> SitePage {
    var page = sitePage("S3", in: .s3)
    var table = Table("buckets-table", "Buckets", text: ["Name", "Created (UTC)"])
    for bucket in try await source.buckets() {
      table.add([
        Cell.head(bucket.name, href: Self.address("s3", bucket.name)), Cell.text(Self.time(bucket.created)),
      ])
    }
    page.sections = [
      Section(
        "buckets", "Buckets",
        [Block.table(table) ?? Block.text("No buckets yet. Create one with: aws s3 mb s3://NAME")])
    ]
    return page
  }

  func objects(_ bucket: String, _ query: Query) async throws -> SitePage {
    let prefix = query["prefix"] ?? ""
    guard
      let listing = try await source.objects(
        in: bucket, prefix: prefix, ListPage(after: query["after"], count: 200))
    else { throw PageError.missing("bucket", bucket) }
    let base = Self.address("s3", bucket)
    var page = sitePage(prefix.isEmpty ? bucket : prefix, in: .s3)
    page.trail = [("S3", "/-/s3"), (bucket, base)]
    var path = ""
    for piece in prefix.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).dropLast()
    {
      let piece = String(Substring(piece))
      path += piece + "/"
      if !hasSameBytes(path, prefix) { page.trail.append((piece, base + Query.text([("prefix", path)]))) }
    }
    var table = Table(
      "objects-table", "Folders and objects", text: ["Name", "Modified (UTC)"], numbers: ["Size"])
    func name(_ key: String) -> String {
      key.hasBytePrefix(prefix) ? String(decoding: key.utf8.dropFirst(prefix.utf8.count), as: UTF8.self) : key
    }
    for folder in listing.folders {
      table.add([
        Cell.head(name(folder), href: base + Query.text([("prefix", folder)])), Cell.text("folder"),
        Cell.number("–"),
      ])
    }
    for object in listing.objects {
      table.add([
        Cell.head(name(object.key), href: Self.address("object", bucket) + Query.text([("key", object.key)])),
        Cell.text(Self.time(object.modified)), Cell.number(Self.size(object.byteCount)),
      ])
    }
    var pager: [Block.Link] = []
    if query["after"] != nil {
      pager.append(.init("Beginning", base + Query.text([("prefix", query["prefix"])]), rel: "first"))
    }
    if let next = listing.next {
      pager.append(
        .init("More", base + Query.text([("prefix", query["prefix"]), ("after", next)]), rel: "next"))
    }
    page.sections = [
      Section(
        "objects", "Objects",
        [Block.table(table) ?? Block.text("No objects under this prefix."), Block.links(pager)])
    ]
    return page
  }

  /// An object as a download. The browser must never render it on this origin, whatever it contains.
  func download(_ key: String, _ bucket: String) async throws -> Response {
    guard let content = try await source.object(key, in: bucket) else {
      throw PageError.missing("object", "\(bucket)/\(key)")
    }
    let name = key.utf8.split(separator: UInt8(ascii: "/")).last.map { percentEncoded($0) } ?? "object"
    return Response(
      status: .ok,
      headers: [
        .contentType: "application/octet-stream", .cacheControl: "no-store",
        .contentDisposition: "attachment; filename*=UTF-8''\(name)",
        .contentSecurityPolicy: "sandbox; default-src 'none'",
      ],
      body: ResponseBody(contentLength: content.byteCount) { writer in
        var rest = writer
        try await content.read { try await rest.write(ByteBuffer(bytes: $0)) }
        writer = rest
        try await writer.finish(nil)
      })
  }
}

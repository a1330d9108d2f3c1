import Encodings
package import Endpoints
package import HTTP
import HTTPTypes
package import Hummingbird
import NIOCore
import NIOHTTP1
import Reporting
import S3
import SageMaker
import Synchronization

/// The pages for people: `/`, and everything else below `/-/`, which no bucket is called.
///
/// Pages are whole without script. They show what the source and the fleet say at that moment; nothing is kept here.
package struct DashboardService: Sendable {
  let source: any DashboardSource
  let fleet: EndpointFleet
  private let origin = RequestOrigin()
  let bodies: ReceivedBytes
  let scoring = ScoreOnDemand()
  let painting = OwnThreads()
  let streams = LiveStreams(limit: 64)

  /// - Parameter bodies: counts what all clients of the server have sent and is not answered yet.
  package init(
    _ source: any DashboardSource, fleet: EndpointFleet, bodies: ReceivedBytes = ReceivedBytes()
  ) {
    self.source = source
    self.fleet = fleet
    self.bodies = bodies
  }

  /// Whether a path is the dashboard's.
  package static func serves(_ path: String) -> Bool { path == "/" || path.hasPrefix("/-/") }

  /// Answers a request whose path `serves`.
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
      throw PageError(.methodNotAllowed, "\(shown(request.method.rawValue)) does not go with this page.")
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

  /// What the control plane or the object store refuses has their status; a body that is no HTTP is its client's fault.
  private static func told(_ error: any Error) -> (HTTPResponse.Status, String) {
    switch error {
    case let error as ControlPlaneError: (.init(code: error.status), error.message)
    case let error as ObjectError: (.init(code: error.statusCode), error.message)
    case is HTTPParserError: (.badRequest, "The request's body is not framed as its head says.")
    default: (.internalServerError, "\(error)")
    }
  }

  private func post(_ request: Request, _ path: [String], _ client: ClientPresence?) async throws -> Response
  {
    guard origin.isOwnForm(request.head) else {
      throw PageError(.forbidden, "This form was sent from a page of another site, so nothing was done.")
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
    page.footer = "imrec on this machine. Nothing here asks any other server."
    return Response(
      status: status,
      headers: [
        .contentType: "text/html; charset=utf-8", .cacheControl: "no-store",
        .contentSecurityPolicy: SitePage.policy,
      ], body: ResponseBody(byteBuffer: ByteBuffer(string: page.html())))
  }

  /// A report: a page of its own, which has its policy in itself; here it gets no origin, so that nothing in it could
  /// send a form of this server.
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

  /// A form's body, held whole.
  func form(_ request: Request, limit: Int) async throws -> MultipartForm {
    let length = request.headers[.contentLength].flatMap { Int($0) } ?? 0
    let tooLarge = PageError(.contentTooLarge, "The file is larger than the \(limit >> 20) MiB allowed here.")
    guard length <= limit else { throw tooLarge }
    var body: [UInt8] = []
    defer { bodies.give(back: body.count) }
    for try await part in request.body {
      guard part.readableBytes <= limit - body.count else { throw tooLarge }
      guard bodies.take(part.readableBytes) else {
        throw PageError(.serviceUnavailable, "Too much is being received; try again soon.")
      }
      unsafe part.withUnsafeReadableBytes { unsafe body.append(contentsOf: $0) }
    }
    guard let form = MultipartForm(body, contentType: request.headers[.contentType]) else {
      throw PageError(.badRequest, "The form cannot be read; multipart/form-data is expected.")
    }
    return form
  }
}

/// Why there is no such page, in a sentence.
struct PageError: Error, CustomStringConvertible {
  let status: HTTPResponse.Status
  let description: String

  init(_ status: HTTPResponse.Status, _ description: String) {
    self.status = status
    self.description = description
  }

  static let notFound = PageError(.notFound, "There is no such page here.")
  static func missing(_ what: String, _ name: String) -> PageError {
    PageError(.notFound, "There is no \(what) \(name).")
  }
}

/// The query of an address; of a name that comes twice the first value.
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

  static func text(_ pairs: [(String, String?)]) -> String {
    let set = pairs.compactMap { name, value in value.map { "\(name)=\(percentEncoded($0.utf8))" } }
    return set.isEmpty ? "" : "?" + set.joined(separator: "&")
  }
}

import Encodings
import Files
import HTTPTypes
import Hummingbird
import NIOCore
import Reporting

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
          Block.table(table) ?? Block.text("No model yet. boto3's create_model makes one."),
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
        [Block.table(table) ?? Block.text("No bucket yet: aws s3 mb s3://NAME makes one.")])
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
      "objects-table", "Folders and objects", text: ["Name", "Changed (UTC)"], numbers: ["Size"])
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
        [Block.table(table) ?? Block.text("Nothing is stored below this prefix."), Block.links(pager)])
    ]
    return page
  }

  /// An object as a file to keep: never shown here, whatever it holds.
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

import Encodings
import Files
import Foundation
import HTTP
import NIOCore
import S3
import SageMaker

extension ControlPlaneSource {
  package func models(_ part: ListPage) async throws -> ListedRows<ModelView> {
    let page = try await api.store.newest([.model], most: part.count, after: part.after)
    return ListedRows(
      page.rows.map { _, model in
        ModelView(
          model.name, created: Self.date(model.created),
          dataURL: SageMakerAPI.modelData(of: SageMakerAPI.container(of: model)) ?? "")
      }, next: page.next)
  }

  package func endpoints() async throws -> [EndpointView] {
    let page = try await api.store.newest([.endpoint], most: api.options.quotas.endpoints)
    return page.rows.map { _, endpoint in
      var view = EndpointView(
        endpoint.name, status: endpoint.status,
        configuration: endpoint.state["EndpointConfigName"]?.text ?? "", created: Self.date(endpoint.created))
      view.failureReason = endpoint.state["FailureReason"]?.text
      return view
    }
  }

  package func buckets() async throws -> [BucketView] {
    try await s3.work.run { [store = s3.store] in
      try store.buckets().map {
        BucketView($0.name, created: Self.date(Double($0.created.secondsSince1970)))
      }
    }
  }

  package func objects(in bucket: String, prefix: String, _ part: ListPage) async throws -> ObjectListing? {
    let query = ListingQuery(
      prefix: prefix, delimiter: "/", after: part.after ?? "", maximumCount: part.count)
    return try await Self.found {
      try await s3.work.run { [store = s3.store] in
        let page = try store.list(bucket, query)
        return ObjectListing(
          folders: page.commonPrefixes,
          objects: page.objects.map {
            .init(
              $0.key, byteCount: $0.byteCount, modified: Self.date(Double($0.modified.secondsSince1970)))
          }, next: page.isTruncated ? page.last : nil)
      }
    }
  }

  package func object(_ key: String, in bucket: String) async throws -> ObjectContent? {
    let work = s3.work
    guard
      let reader = try await Self.found({
        try await work.run { [store = s3.store] in try store.open(bucket, key) }
      })
    else { return nil }
    let end = reader.info.byteCount
    return ObjectContent(byteCount: end) { take in
      var offset = 0
      while offset < end {
        let piece = try await S3Service.piece(reader, offset, end, work)
        offset += piece.readableBytes
        try await take(Array(buffer: piece))
      }
    }
  }

  package func localPath(of reference: String) async throws -> String? {
    guard let place = S3Location(reference) else {
      guard let path = try? Encodings.localPath(ofReference: reference),
        FileManager.default.fileExists(atPath: path)
      else { return nil }
      return path
    }
    return try await Self.found {
      try await s3.work.run { [store = s3.store] in
        let (bucket, key) = (place.bucket, place.key)
        let path = join(join(store.root, bucket), key)
        // A folder is not opened by its name: what is in it was found without following a link.
        let folder = key.isEmpty || key.utf8.last == UInt8(ascii: "/") ? key : key + "/"
        if try !store.list(bucket, ListingQuery(prefix: folder, maximumCount: 1)).objects.isEmpty {
          return path
        }
        _ = try store.open(bucket, key)
        return path
      }
    }
  }

  /// Nil where there is no such bucket or object.
  private static func found<Value>(_ body: () async throws -> Value) async throws -> Value? {
    do {
      return try await body()
    } catch let error as ObjectError where error.code == .noSuchBucket || error.code == .noSuchKey {
      return nil
    }
  }
}

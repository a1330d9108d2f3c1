/// The headers whose effect a client relies on (preconditions, checksums, object locks, encryption keys), and
/// the operations that implement each.
///
/// A request with such a header for an operation that does not implement it is refused. Ignoring a
/// precondition, for example, could delete what it was meant to protect.
enum S3Promises {
  /// - Throws: `.notImplemented` naming the first header that the operation does not implement.
  static func check(_ names: some Sequence<String>, of operation: S3Operation) throws(ObjectError) {
    for name in names where isOne(name) && !keeps(operation, name) {
      throw ObjectError(
        .notImplemented, "a header you provided implies functionality that is not implemented: \(name)")
    }
  }

  /// - Parameter name: in lower case.
  private static func isOne(_ name: String) -> Bool {
    guard !names.contains(name) else { return true }
    return prefixes.contains { name.utf8.starts(with: $0.utf8) }
      || name.utf8.firstRange(of: "server-side-encryption-customer".utf8) != nil
  }

  private static let names: Set = [
    "content-md5", "x-amz-trailer", "x-amz-mfa", "x-amz-mp-object-size", "x-amz-write-offset-bytes",
    "x-amz-bypass-governance-retention", "x-amz-bucket-object-lock-enabled", "x-amz-copy-source-range",
  ]
  private static let prefixes = [
    "if-", "x-amz-if-", "x-amz-copy-source-if-", "x-amz-rename-source-if-", "x-amz-checksum-",
    "x-amz-sdk-checksum-", "x-amz-object-lock-",
  ]

  private static func keeps(_ operation: S3Operation, _ name: String) -> Bool {
    switch operation {
    case .getObject, .headObject: reads.contains(name)
    case .putObject: bodies.contains(name) || writes.contains(name)
    case .copyObject: sources.contains(name) || writes.contains(name)
    case .uploadPart, .createBucket, .deleteObjects: bodies.contains(name)
    case .uploadPartCopy: sources.contains(name) || name == "x-amz-copy-source-range"
    case .createMultipartUpload: ["x-amz-checksum-algorithm", "x-amz-checksum-type"].contains(name)
    case .completeMultipartUpload:
      writes.contains(name) || checksums.contains(name)
        || ["content-md5", "x-amz-checksum-type", "x-amz-mp-object-size"].contains(name)
    case .deleteObject: name == "if-match"
    case .listBuckets, .headBucket, .deleteBucket, .getBucketLocation, .listObjects, .listObjectsV2,
      .listMultipartUploads, .abortMultipartUpload, .listParts:
      false
    }
  }

  private static let checksums = Set(ChecksumAlgorithm.allCases.map(\.headerName))
  /// Headers about the request body.
  private static let bodies = checksums.union([
    "content-md5", "x-amz-sdk-checksum-algorithm", "x-amz-trailer",
  ])
  private static let reads: Set = [
    "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range",
    "x-amz-checksum-mode",
  ]
  private static let writes: Set = ["if-match", "if-none-match"]
  private static let sources: Set = [
    "x-amz-copy-source-if-match", "x-amz-copy-source-if-none-match",
    "x-amz-copy-source-if-modified-since", "x-amz-copy-source-if-unmodified-since",
  ]
}

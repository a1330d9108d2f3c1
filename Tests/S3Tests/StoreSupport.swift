import S3
import TestSupport
import Testing

/// A store in a scratch folder with the bucket `photos`; it does not wait for the disk.
func withStore<Result>(_ body: (ObjectStore, _ root: String) throws -> Result) throws -> Result {
  try withScratchFolder { root in
    let store = try ObjectStore(root: root, durably: false)
    try store.makeBucket("photos")
    return try body(store, root)
  }
}

extension ObjectStore {
  func bytes(_ bucket: String, _ key: String) throws -> [UInt8] {
    let reader = try open(bucket, key)
    var bytes = [UInt8](repeating: 0, count: reader.info.byteCount)
    var span = bytes.mutableSpan
    var raw = span.mutableBytes
    let got = try reader.read(at: 0, into: &raw)
    #expect(got == reader.info.byteCount)
    return bytes
  }

  func keys(_ query: ListingQuery = ListingQuery()) throws -> [String] {
    try list("photos", query).objects.map(\.key)
  }
}

/// The code of the error that `body` throws.
func code(_ body: () throws -> Void) -> ObjectError.Code? {
  do { try body() } catch { return (error as? ObjectError)?.code }
  return nil
}

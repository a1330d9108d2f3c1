import Files
import Glibc
import TestSupport
import Testing

@testable import S3

@Suite("Listings")
struct ListingTests {
  static let keys = [
    "a-b", "a.txt", "a/1", "a/2/x", "a/2/y", "a/3", "a0", "b/c/d", "caf\u{e9}/1", "z", "\u{1d11e}",
    "\u{ffee}",
  ]

  private func withKeys(_ body: (ObjectStore) throws -> Void) throws {
    try withStore { store, root in
      for key in Self.keys { try store.put([1], as: "photos", key) }
      mkdir(root + "/photos/empty", 0o755)
      try body(store)
    }
  }

  /// What S3 lists, by its definition: from all keys, one after the other.
  private func expected(_ query: ListingQuery) -> (objects: [String], prefixes: [String], isTruncated: Bool) {
    var (objects, prefixes, count) = ([String](), [String](), 0)
    for key in Self.keys.sorted(by: { precedes(Array($0.utf8), Array($1.utf8)) }) {
      let bytes = Array(key.utf8)
      guard bytes.starts(with: query.prefix.utf8), precedes(Array(query.after.utf8), bytes) else { continue }
      let rest = bytes[query.prefix.utf8.count...]
      if let delimiter = query.delimiter, let found = rest.firstRange(of: Array(delimiter.utf8)) {
        let common = String(decoding: bytes[..<found.upperBound], as: UTF8.self)
        if prefixes.last == common || common == query.after { continue }
        if count == query.maximumCount { return (objects, prefixes, true) }
        prefixes.append(common)
      } else {
        if count == query.maximumCount { return (objects, prefixes, true) }
        objects.append(key)
      }
      count += 1
    }
    return (objects, prefixes, false)
  }

  @Test("every prefix, delimiter, start and size gives what S3's definition gives")
  func definition() throws {
    try withKeys { store in
      var count = 0
      for prefix in ["", "a", "a/", "a/2", "a/2/", "b/c/d", "caf", "x", "a//", "/", "z/"] {
        for delimiter in [nil, "/", "2", "/2", "a"] {
          for after in ["", "a", "a-b", "a/", "a/1", "a/2/", "a/2/x", "a/9", "zz", "b/"] {
            for maximum in [1, 2, 3, 100] {
              let query = ListingQuery(
                prefix: prefix, delimiter: delimiter, after: after, maximumCount: maximum)
              let (found, wanted) = (try store.list("photos", query), expected(query))
              #expect(found.objects.map(\.key) == wanted.objects, "\(query)")
              #expect(found.commonPrefixes == wanted.prefixes, "\(query)")
              #expect(found.isTruncated == wanted.isTruncated, "\(query)")
              count += 1
            }
          }
        }
      }
      #expect(count == 2200)
    }
  }

  @Test("pages of any size give all keys once", arguments: [1, 2, 5, 1000], [nil, "/"])
  func pages(_ size: Int, _ delimiter: String?) throws {
    try withKeys { store in
      var query = ListingQuery(delimiter: delimiter, maximumCount: size)
      var found: [String] = []
      while true {
        let page = try store.list("photos", query)
        found += page.objects.map(\.key) + page.commonPrefixes
        guard page.isTruncated, let last = page.last else { break }
        query.after = last
      }
      let all = expected(ListingQuery(delimiter: delimiter))
      #expect(found.sorted() == (all.objects + all.prefixes).sorted())
    }
  }

  @Test("a page of zero keys is empty, and a missing bucket is an error")
  func edges() throws {
    try withKeys { store in
      let page = try store.list("photos", ListingQuery(maximumCount: 0))
      #expect(page.objects.isEmpty && !page.isTruncated)
      #expect(code { _ = try store.list("nobody", ListingQuery()) } == .noSuchBucket)
    }
  }

  @Test("what is put or deleted after a listing is in the next one, or not")
  func freshness() throws {
    try withStore { store, _ in
      for number in 0..<30 {
        try store.put([1], as: "photos", "f/\(number + 100)")
        #expect(try store.keys().count == number + 1)
      }
      try store.delete("photos", "f/100")
      #expect(try store.keys().first == "f/101")
    }
  }
}

import Files
import Glibc
import Synchronization

/// Which part of a bucket to list.
public struct ListingQuery: Hashable, Sendable {
  /// List only keys that begin with this text. It need not end at a slash.
  public var prefix: String
  /// Keys that contain this text after the prefix are grouped into common prefixes; nil: no grouping.
  public var delimiter: String?
  /// List only keys and common prefixes that sort after this one.
  public var after: String
  /// The page size: keys and common prefixes together.
  public var maximumCount: Int

  public init(prefix: String = "", delimiter: String? = nil, after: String = "", maximumCount: Int = 1000) {
    self.prefix = prefix
    self.delimiter = delimiter
    self.after = after
    self.maximumCount = maximumCount
  }
}

/// A page of a bucket's keys, sorted by their bytes.
public struct BucketListing: Hashable, Sendable {
  public internal(set) var objects: [ObjectInfo] = []
  /// Each ends with the delimiter.
  public internal(set) var commonPrefixes: [String] = []
  /// Whether there are more keys after `last`.
  public internal(set) var isTruncated = false
  /// The last key or common prefix of this page; the `after` of the query for the next page.
  public internal(set) var last: String?
}

extension ObjectStore {
  /// Lists one page of a bucket.
  ///
  /// - Throws: `.noSuchBucket`; errors of the file system.
  /// - Complexity: O(keys of the page), plus reading the folders on the way to the page, whose entries are
  ///   cached for the next page.
  public func list(_ bucket: String, _ query: ListingQuery) throws(ObjectError) -> BucketListing {
    let folder = try bucketFolder(bucket)
    guard query.maximumCount > 0 else { return BucketListing() }
    var walk = Walk(store: self, bucket: bucket, query: query)
    try walk.visit(folder, [])
    return walk.listing
  }

  private struct Walk {
    let store: ObjectStore
    let bucket: String
    let prefix: [UInt8]
    let delimiter: [UInt8]
    let after: [UInt8]
    let maximumCount: Int
    var listing = BucketListing()
    var isDone = false
    /// All keys that begin with this are covered by a common prefix of the page.
    private var finished: [UInt8]?

    init(store: ObjectStore, bucket: String, query: ListingQuery) {
      self.store = store
      self.bucket = bucket
      prefix = Array(query.prefix.utf8)
      delimiter = query.delimiter.map { Array($0.utf8) } ?? []
      after = Array(query.after.utf8)
      maximumCount = query.maximumCount
    }

    mutating func visit(_ folder: borrowing StoreFolder, _ path: [UInt8]) throws(ObjectError) {
      for entry in try store.folders.entries(folder) {
        if isDone { return }
        let key = path + entry.name
        if let finished, key.starts(with: finished) { continue }
        if entry.isFolder {
          try visitFolder(folder, entry, key)
        } else if key.starts(with: prefix), precedes(after, key),
          let text = String(validating: key, as: UTF8.self)
        {
          if try takePrefix(key) { continue }
          try take(folder, entry.name, text)
        }
      }
    }

    private mutating func visitFolder(
      _ parent: borrowing StoreFolder, _ entry: StoreFolder.Entry, _ key: [UInt8]
    )
      throws(ObjectError)
    {
      guard key.starts(with: prefix) || prefix.starts(with: key), key.count <= ObjectKey.longestByteCount
      else { return }
      // All keys below this folder sort at or before the start of the page.
      if !precedes(after, key), !after.starts(with: key) { return }
      // The previous page ended with the common prefix that covers this folder.
      if key.starts(with: prefix), let common = commonPrefix(key), common == after { return }
      if key.starts(with: prefix), precedes(after, key), let text = String(validating: key, as: UTF8.self),
        let marked = try? ObjectKey(text), let record = store.folderRecord(bucket, marked, in: parent)
      {
        if try takePrefix(key) { return }
        try add {
          $0.objects.append(record.info())
        } last: {
          text
        }
      }
      if isDone { return }
      if let child = try parent.folder(Array(entry.name.dropLast())) { try visit(child, key) }
    }

    /// The key up to and including the first delimiter after the prefix.
    private func commonPrefix(_ key: [UInt8]) -> [UInt8]? {
      guard !delimiter.isEmpty, let found = key[prefix.count...].firstRange(of: delimiter) else { return nil }
      return Array(key[..<found.upperBound])
    }

    /// Adds the common prefix that covers the key.
    ///
    /// - Returns: `false` if no common prefix covers the key.
    private mutating func takePrefix(_ key: [UInt8]) throws(ObjectError) -> Bool {
      guard let common = commonPrefix(key) else { return false }
      finished = common
      guard common != after else { return true }
      let text = String(decoding: common, as: UTF8.self)
      try add {
        $0.commonPrefixes.append(text)
      } last: {
        text
      }
      return true
    }

    private mutating func take(_ folder: borrowing StoreFolder, _ name: [UInt8], _ key: String)
      throws(ObjectError)
    {
      if isFull {
        listing.isTruncated = true
        isDone = true
        return
      }
      guard let info = try info(folder, name, key) else { return }
      try add {
        $0.objects.append(info)
      } last: {
        key
      }
    }

    /// nil if the file has disappeared since the folder was read.
    private func info(_ folder: borrowing StoreFolder, _ name: [UInt8], _ key: String) throws(ObjectError)
      -> ObjectInfo?
    {
      guard let status = folder.status(name), status.st_mode & S_IFMT == S_IFREG else { return nil }
      if let known = store.records.record(bucket, key, of: FileIdentity(status)) { return known.info() }
      guard let (file, opened) = try folder.file(name) else { return nil }
      defer { close(file) }
      return try store.record(bucket, key, file, FileIdentity(opened)).info()
    }

    private var isFull: Bool { listing.objects.count + listing.commonPrefixes.count >= maximumCount }

    private mutating func add(_ body: (inout BucketListing) -> Void, last: () -> String) throws(ObjectError) {
      if isFull {
        listing.isTruncated = true
        isDone = true
      } else {
        body(&listing)
        listing.last = last()
      }
    }
  }
}

/// The sorted entries of recently listed folders, because each page of a long listing needs them again.
final class FolderCache: Sendable {
  private struct Content {
    let device: UInt64
    let identity: FileIdentity
    let entries: [StoreFolder.Entry]
  }
  private struct State {
    var contents: [ByteName: Content] = [:]
    var entryCount = 0
  }
  private let state = Mutex(State())
  /// About 20 MB; the cache is emptied when it is full.
  private static let mostEntries = 200_000

  func entries(_ folder: borrowing StoreFolder) throws(ObjectError) -> [StoreFolder.Entry] {
    let path = ByteName(folder.path)
    guard let status = folder.ownStatus() else { throw ObjectError.last("stat", folder.path) }
    let (device, identity) = (UInt64(status.st_dev), FileIdentity(status))
    if let known = state.withLock({ $0.contents[path] }), known.identity == identity, known.device == device {
      return known.entries
    }
    let isSettled = identity.isSettled
    let entries = try folder.entries()
    guard isSettled, entries.count <= Self.mostEntries else { return entries }
    state.withLock { state in
      if let old = state.contents.removeValue(forKey: path) { state.entryCount -= old.entries.count + 1 }
      if state.entryCount + entries.count + 1 > Self.mostEntries { state = State() }
      state.contents[path] = Content(device: device, identity: identity, entries: entries)
      state.entryCount += entries.count + 1
    }
    return entries
  }
}

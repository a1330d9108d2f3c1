import Encodings
import Synchronization

/// How an output was matched to an image of the truth. This target's README has the order in which the rules are tried.
public enum MatchRule: Int, CaseIterable, Sendable, CustomStringConvertible {
  /// Both have the same path; the output with or without the image's suffix.
  case path
  /// One path is the end of the other: `s3://bucket/val/a/b.jpg` and `a/b.jpg`.
  case pathEnd
  /// One of the two has no folder, and only one image has this file name.
  case fileName
  /// The output is named by the id of a list line or of a record.
  case id
  /// The truth names images without a suffix (`a/b`), and the output belongs to `a/b.jpg`.
  case stem
  /// The names differ only in Unicode form, in case, or in `/` against `\`.
  case spelling
  /// All names match after one folder of the truth is put in front of them.
  case folder
  /// The lines name no image; there are as many as images in the truth, in the same order.
  case order
  /// No other rule matched any output, and the names begin with Caltech-256's class number.
  case caltech

  /// What the summary of a score calls the rule.
  public var description: String {
    switch self {
    case .path: "relative path"
    case .pathEnd: "end of the path"
    case .fileName: "unique file name"
    case .id: "id"
    case .stem: "path, the truth without suffixes"
    case .spelling: "name in another spelling"
    case .folder: "name with a folder put in front"
    case .order: "order of the lines"
    case .caltech: "class number of the Caltech name (NNN_MMMM)"
    }
  }
}

/// Finds the image of the truth that an output belongs to. Several threads may use one matcher at once.
final class Matcher: Sendable {
  enum Match: Hashable, Sendable {
    /// The index of the image in the truth.
    case entry(Int, MatchRule)
    /// The truth has the image, but no usable label for it.
    case rejected
    /// No image, and why.
    case none(String)
  }

  /// The paths of the images, then those of the rejected images.
  private let paths: ByteStrings
  private let imageCount: Int
  private let hasIDs: Bool
  /// The byte count of the folders that all paths of the truth begin with.
  private let prefixCount: Int
  /// The byte count of the folders that all outputs begin with.
  private let outputPrefixCount: Int
  private let byPath, byPathStem, byName, byNameStem: Lazy<NameIndex>
  private let byID: Lazy<[UInt64: Int]>
  /// Matches for names that the other rules do not match, from `Lookalikes`.
  private let additions: [[UInt8]: Match]

  /// - Parameter outputPrefixCount: the byte count of the folders that all outputs begin with.
  init(_ truth: Truth, outputPrefixCount: Int) {
    let paths = truth.paths + truth.rejectedPaths
    let prefixCount = paths.commonFolderByteCount
    self.paths = paths
    imageCount = truth.count
    let ids = truth.ids + truth.rejectedIDs
    hasIDs = !ids.isEmpty
    self.prefixCount = prefixCount
    self.outputPrefixCount = outputPrefixCount
    byPath = Lazy { NameIndex(paths) { paths.range($0).dropFirst(prefixCount) } }
    byPathStem = Lazy { NameIndex(paths) { paths.stem(paths.range($0)).map { $0.dropFirst(prefixCount) } } }
    byName = Lazy { NameIndex(paths) { paths.fileName(paths.range($0)) } }
    byNameStem = Lazy { NameIndex(paths) { paths.stem(paths.fileName(paths.range($0))) } }
    byID = Lazy { Self.idTable(ids) }
    additions = [:]
  }

  private init(_ other: Matcher, _ additions: [[UInt8]: Match]) {
    (paths, imageCount, hasIDs) = (other.paths, other.imageCount, other.hasIDs)
    (prefixCount, outputPrefixCount) = (other.prefixCount, other.outputPrefixCount)
    (byPath, byPathStem, byName, byNameStem) = (
      other.byPath, other.byPathStem, other.byName, other.byNameStem
    )
    byID = other.byID
    self.additions = additions
  }

  /// This matcher with matches for names that its rules do not match.
  func adding(_ additions: [[UInt8]: Match]) -> Matcher { Matcher(self, additions) }

  /// The image of each id; -1 for an id that several images share.
  private static func idTable(_ ids: [UInt64]) -> [UInt64: Int] {
    Dictionary(ids.enumerated().map { ($1, $0) }) { _, _ in -1 }
  }

  /// - Parameters:
  ///   - name: the output's path without `.out`, or the name in a line.
  ///   - isID: whether to try a number as an id before trying it as an image's name without its suffix.
  /// - Complexity: O(bytes of the name), after the first call, which builds the indexes.
  func match(_ name: Span<UInt8>, isID: Bool) -> Match {
    let rest = restRange(name)
    if isID, let found = matchID(name.extracting(rest)) { return found }
    let match =
      matchName(name) ?? matchID(name.extracting(rest)) ?? matchStem(name)
      ?? .none("the truth has no image of this name")
    guard !additions.isEmpty, case .none = match else { return match }
    return additions[unsafe name.withUnsafeBufferPointer { unsafe Array($0) }] ?? match
  }

  /// Matches a name with an image's suffix to an image of the truth without one.
  private func matchStem(_ name: Span<UInt8>) -> Match? {
    let bytes = unsafe name.withUnsafeBufferPointer { unsafe Array($0) }
    guard hasImageSuffix(bytes), let dot = bytes.lastIndex(of: UInt8(ascii: ".")) else { return nil }
    let stem = name.extracting(0..<dot)
    let rest = restRange(stem)
    for part in [0..<dot, rest] {
      guard let match = matchPath(stem.extracting(part), stems: false) else { continue }
      if case .entry(let entry, _) = match { return .entry(entry, .stem) }
      return match
    }
    return nil
  }

  private func matchName(_ name: Span<UInt8>) -> Match? {
    if let found = matchPath(name) { return found }
    let rest = restRange(name)
    if rest.count < name.count,
      let found = matchPath(name.extracting(rest)) ?? matchFileName(name.extracting(rest))
    {
      return found
    }
    return matchFileName(name)
  }

  /// The range of the name after the folders that all outputs are in.
  private func restRange(_ name: Span<UInt8>) -> Range<Int> {
    (outputPrefixCount < name.count ? outputPrefixCount : 0)..<name.count
  }

  /// Whether outputs named by a number are named by an id: at least as many of them are ids as are names of images
  /// without their suffix. Batch transform names the outputs of a `.rec` by ids, and keeps the suffix of files.
  func areIDs(_ folder: OutputFolder) -> Bool {
    guard hasIDs else { return false }
    var (idCount, nameCount) = (0, 0)
    for index in 0..<folder.files.count {
      folder.files.withBytes(index) { file in
        let name = file.extracting(0..<(file.count - folder.suffix.count))
        let rest = name.extracting(restRange(name))
        guard unsafe rest.withUnsafeBufferPointer({ unsafe wholeNumber($0) }) != nil else { return }
        if case .entry? = matchID(rest) { idCount += 1 }
        if case .entry? = matchName(name) { nameCount += 1 }
      }
    }
    return idCount > 0 && idCount >= nameCount
  }

  private func found(_ index: Int, _ rule: MatchRule) -> Match {
    index < imageCount ? .entry(index, rule) : .rejected
  }

  /// Looks up the path and each end of it that begins after a slash.
  private func matchPath(_ name: Span<UInt8>, stems: Bool = true) -> Match? {
    for index in stems ? [byPath, byPathStem] : [byPath] {
      var start = 0
      // Real paths have fewer folders; the limit is for names made to waste time.
      for _ in 0..<64 {
        let end = name.extracting(start..<name.count)
        if case .one(let entry)? = index.value.find(end, in: paths),
          agrees(name.extracting(0..<start), entry)
        {
          return found(entry, rule(name, folderCount: start, entry))
        }
        guard let slash = firstSlash(name, from: start) else { break }
        start = slash + 1
      }
    }
    return nil
  }

  /// Whether the folders before the common end agree: the shorter of both is the end of the longer.
  private func agrees(_ folders: Span<UInt8>, _ entry: Int) -> Bool {
    let prefix = paths[entry].prefix(prefixCount)
    let count = min(prefix.count, folders.count)
    for place in 1..<(count + 1) where prefix[prefix.endIndex - place] != folders[folders.count - place] {
      return false
    }
    if prefix.count > count { return count == 0 || prefix[prefix.endIndex - count - 1] == UInt8(ascii: "/") }
    return folders.count == count || count == 0 || folders[folders.count - count - 1] == UInt8(ascii: "/")
  }

  private func rule(_ name: Span<UInt8>, folderCount: Int, _ entry: Int) -> MatchRule {
    if folderCount == prefixCount { return .path }
    return firstSlash(name, from: 0) == nil || (prefixCount == 0 && !paths.hasFolder(entry))
      ? .fileName : .pathEnd
  }

  private func matchFileName(_ name: Span<UInt8>) -> Match? {
    guard firstSlash(name, from: 0) == nil, !name.isEmpty else { return nil }
    switch byName.value.find(name, in: paths) ?? byNameStem.value.find(name, in: paths) {
    case .one(let entry): return found(entry, .fileName)
    case .several(let count): return .none("\(count) images of the truth have this file name")
    case nil: return nil
    }
  }

  private func matchID(_ name: Span<UInt8>) -> Match? {
    guard hasIDs, let id = unsafe name.withUnsafeBufferPointer({ unsafe wholeNumber($0) }),
      id >= 0,
      let entry = byID.value[UInt64(id)]
    else { return nil }
    return entry < 0 ? .none("several images of the truth have this id") : found(entry, .id)
  }
}

/// The label, NNN - 1, of a name of Caltech-256's form `NNN_MMMM.jpg`; `nil` for other names.
func caltechLabel(_ name: Span<UInt8>) -> Int? {
  var start = 0
  while let slash = firstSlash(name, from: start) { start = slash + 1 }
  guard name.count >= start + 8, name[start + 3] == UInt8(ascii: "_"),
    name.count == start + 8 || name[start + 8] == UInt8(ascii: ".")
  else { return nil }
  let number = (start..<(start + 3)).map { name[$0] }
  guard let number = wholeNumber(number), number > 0, wholeNumber((4..<8).map { name[start + $0] }) != nil
  else { return nil }
  return number - 1
}

private func firstSlash(_ name: Span<UInt8>, from start: Int) -> Int? {
  for index in start..<name.count where name[index] == UInt8(ascii: "/") { return index }
  return nil
}

/// A value that the first thread to ask for it makes; others wait for it.
private final class Lazy<Value: Sendable>: Sendable {
  private let state = Mutex<Value?>(nil)
  private let make: @Sendable () -> Value

  init(_ make: @escaping @Sendable () -> Value) { self.make = make }

  var value: Value {
    state.withLock { value in
      if let value { return value }
      let made = make()
      value = made
      return made
    }
  }
}

/// Matches for outputs that the exact rules leave over: names that differ from an image's in spelling only, and names
/// that all lack the same folder.
struct Lookalikes {
  /// For each name of an output: its image where one name fits one image, else why it is not matched.
  private(set) var matches: [[UInt8]: Matcher.Match] = [:]
  /// The folders of the truth, where all names fit below each of several.
  private(set) var folders: [String] = []

  /// - Parameters:
  ///   - images: indexes in the truth of images without an output.
  ///   - outputs: names that match no image.
  ///   - folderCount: how many folders all outputs are in, one below the other; these say nothing about the images.
  init(_ truth: Truth, images: [Int], outputs: [[UInt8]], folderCount: Int) {
    guard truth.kind != .records, !images.isEmpty, !outputs.isEmpty else { return }
    let outputs = Array(Set(outputs)).sorted { $0.lexicographicallyPrecedes($1) }
    // Bytes that are not text have no other spelling.
    func isText(_ name: some Sequence<UInt8>) -> Bool {
      String(validating: Array(name), as: UTF8.self) != nil
    }
    joinSpellings(truth, images.filter { isText(truth.paths[$0]) }, outputs.filter(isText), folderCount)
    joinFolder(truth, images, outputs.filter { matches[$0] == nil })
  }

  private mutating func joinSpellings(
    _ truth: Truth, _ images: [Int], _ outputs: [[UInt8]], _ folderCount: Int
  ) {
    let common = truth.paths.commonFolderByteCount
    let front = truth.count > 0 ? Self.folders(truth.paths[0].prefix(common)) : []
    // Keyed by String, whose equality ignores the Unicode form of a character: that is what is wanted here.
    var places: [String: [Int]] = [:]
    for image in images {
      places[Self.folders(truth.paths[image].dropFirst(common)).joined(separator: "/"), default: []].append(
        image)
    }
    var groups: [String: [[UInt8]]] = [:]
    for output in outputs {
      let parts = Self.folders(output)
      for start in 0..<min(parts.count, 64) {
        let key = parts[start...].joined(separator: "/")
        guard places[key] != nil else { continue }
        let agrees = zip(front.reversed(), parts[..<start].reversed()).allSatisfy { $0 == $1 }
        guard agrees || start == folderCount else { continue }
        groups[key, default: []].append(output)
        break
      }
    }
    for (key, names) in groups {
      guard let images = places[key], let image = images.first else { continue }
      for name in names {
        matches[name] =
          images.count == 1 && names.count == 1
          ? .entry(image, .spelling)
          : .none(
            "\(images.count == 1 ? "the image" : "\(images.count) images, such as") \(truth.path(image)) and "
              + "\(names.count == 1 ? "this output" : "\(names.count) outputs") differ only in spelling, so they cannot be "
              + "matched one to one")
      }
    }
  }

  /// The parts of a path between its slashes and backslashes, in lower case.
  private static func folders(_ path: some Collection<UInt8>) -> [String] {
    String(decoding: path, as: UTF8.self).lowercased()
      .split { $0 == "/" || $0 == "\\" }.filter { $0 != "." }.map(String.init)
  }

  private mutating func joinFolder(_ truth: Truth, _ images: [Int], _ outputs: [[UInt8]]) {
    guard let first = outputs.first else { return }
    let slash = UInt8(ascii: "/")
    var places: [[UInt8]: Int] = [:]
    for image in images { places[Array(truth.paths[image])] = image }
    let end = [slash] + first
    var folders = images.map { truth.paths[$0] }
      .filter { $0.count > end.count && $0.suffix(end.count).elementsEqual(end) }
      .map { Array($0.dropLast(first.count)) }
    for output in outputs.dropFirst() where !folders.isEmpty {
      folders = folders.filter { places[$0 + output] != nil }
    }
    if folders.count > 1 {
      self.folders = folders.map { nameText($0) }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
    guard folders.count == 1 else { return }
    for output in outputs {
      if let image = places[folders[0] + output] { matches[output] = .entry(image, .folder) }
    }
  }
}

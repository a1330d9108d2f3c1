/// Images and outputs that no rule joined, and that a person would join: their names are spelt in another way, or all of
/// them lack the same folder.
struct Lookalikes {
  /// For names of outputs: the image where one name fits one image, else why it is not joined.
  private(set) var matches: [[UInt8]: Matcher.Match] = [:]
  /// Where all names fit below several folders of the truth: these.
  private(set) var folders: [String] = []

  /// - Parameters:
  ///   - images: places in the truth of images that have no output.
  ///   - outputs: names that fit no image.
  ///   - folderCount: of the folders that all outputs are in; they say nothing of the images.
  init(_ truth: Truth, images: [Int], outputs: [[UInt8]], folderCount: Int) {
    guard truth.kind != .records, !images.isEmpty, !outputs.isEmpty else { return }
    let outputs = Array(Set(outputs)).sorted { $0.lexicographicallyPrecedes($1) }
    // Bytes that are no text have no other spelling.
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
    // Keyed by plain Strings: here all forms of a character are to count as one, which is what String's equality does.
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
              + "\(names.count == 1 ? "this output" : "\(names.count) outputs") differ in spelling only: which belong "
              + "together cannot be told")
      }
    }
  }

  /// The parts of a path, in lower case, whichever way its slashes lean.
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
      self.folders = folders.map { shown($0) }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
    guard folders.count == 1 else { return }
    for output in outputs {
      if let image = places[folders[0] + output] { matches[output] = .entry(image, .folder) }
    }
  }
}

import Scoring

/// Which thumbnail has which number in the page.
struct ThumbBook {
  private var numbers: [[UInt8]: Int] = [:]
  private(set) var all: [(number: Int, jpeg: [UInt8])] = []

  /// - Parameter paths: those wanted, in the order of the file; what has no thumbnail is left out.
  init(_ paths: [String], _ thumbnails: Thumbnails) {
    for path in paths {
      guard let thumbnail = thumbnails[path] else { continue }
      let key = Array(path.utf8)
      guard numbers[key] == nil else { continue }
      numbers[key] = all.count
      all.append((all.count, thumbnail.jpeg))
    }
  }

  subscript(path: String) -> Int? { all.isEmpty ? nil : numbers[Array(path.utf8)] }
}

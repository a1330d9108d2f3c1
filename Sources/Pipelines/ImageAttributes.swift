import Files
import Imaging
import Predictions
import Scoring

/// Facts about images by which accuracy is cut into slices: further columns of the truth, and what the headers of the
/// image files say.
struct ImageAttributes: Sendable {
  private let truth: Truth
  private let images: String?
  /// Of each column: whether all its values are numbers.
  private let isNumeric: [Bool]
  /// Most headers end before; of those that do not, the whole file is read.
  private static let headerByteCount = 1 << 16

  /// - Returns: `nil` where there are no such facts.
  init?(truth: Truth, images: String?) {
    if truth.columns.isEmpty && images == nil { return nil }
    self.truth = truth
    self.images = images
    isNumeric = truth.columns.map { column in
      column.values.allSatisfy { $0.isEmpty || Double($0)?.isFinite ?? false }
        && column.values.contains { !$0.isEmpty }
    }
  }

  /// - Parameter entries: places in the truth.
  /// - Returns: the facts of each; those that cannot be found out are left out.
  func ofImages(_ entries: [Int?]) -> [[ByteName: Attribute]] {
    entries.map { entry in entry.map { ofImage($0) } ?? [:] }
  }

  private func ofImage(_ entry: Int) -> [ByteName: Attribute] {
    var facts: [ByteName: Attribute] = [:]
    for (index, column) in truth.columns.enumerated() {
      let value = column.values[entry]
      if value.isEmpty { continue }
      facts[ByteName(column.name)] = isNumeric[index] ? Double(value).map { .number($0) } : .text(value)
    }
    if let images, let info = header(join(images, truth.path(entry))) {
      // As people see it: orientations 5 to 8 lie on their side.
      let (width, height) = info.orientation >= 5 ? (info.height, info.width) : (info.width, info.height)
      facts["image width"] = .number(Double(width))
      facts["image height"] = .number(Double(height))
      facts["image aspect"] = .number(Double(width) / Double(max(1, height)))
      facts["image grey"] = .text(info.channels <= 2 ? "yes" : "no")
    }
    return facts
  }

  private func header(_ path: String) -> ImageInfo? {
    if let start = try? readStart(of: path, byteCount: Self.headerByteCount),
      let info = try? probe(start.span)
    {
      return info
    }
    guard let whole = try? readFile(path, limit: 1 << 28).bytes else { return nil }
    return try? probe(whole.span)
  }
}

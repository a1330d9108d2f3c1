import Files
import Imaging
import Records
public import Scoring

/// A small picture, a whole JPEG file.
public struct Thumbnail: Hashable, Sendable {
  /// In pixels, upright.
  public let width: Int, height: Int
  public let jpeg: [UInt8]
}

/// How large thumbnails are, each and together.
public struct ThumbnailOptions: Hashable, Sendable {
  /// Pixels of the longer side; smaller images keep their size.
  public var longestSide = 96
  /// 0...100, as libjpeg counts.
  public var quality = 75
  /// Bytes of JPEG that all thumbnails may have together: as base64 they are a third more.
  public var byteBudget = 3_500_000
  /// Images of more pixels are refused before memory is taken.
  public var maximumPixelCount = DecodeOptions.standardMaximumPixelCount
  /// Images in work at once; the thumbnails do not depend on it.
  public var jobs = 2

  public init() {}
}

/// Thumbnails of the most wanted images, as many as the budget allows.
public struct Thumbnails: Sendable {
  private var images: [[UInt8]: Thumbnail] = [:]
  /// Wanted images that could not be read, in the order they were wanted, as far as the budget reached.
  public private(set) var unreadable: [Rejection] = []
  /// Wanted images that the budget left no room for.
  public private(set) var leftOutCount = 0
  /// Bytes of JPEG.
  public private(set) var byteCount = 0

  /// None.
  public init() {}

  public var count: Int { images.count }

  /// The thumbnail of a path, which is compared by its bytes.
  public subscript(path: String) -> Thumbnail? { images[Array(path.utf8)] }

  /// Makes thumbnails in the order of `paths` until the budget is used.
  ///
  /// The first one that does not fit ends the work: the same paths and images give the same thumbnails for any number
  /// of jobs. A path that comes again is passed over.
  /// - Parameter paths: the most wanted first.
  /// - Throws: `CancellationError`. An image that cannot be read is no error: see `unreadable`.
  /// - Complexity: every image is decoded whole; memory for `jobs` of them, and the thumbnails.
  public init(
    of paths: [String], from source: ImageSource, _ options: ThumbnailOptions = ThumbnailOptions()
  ) async throws {
    var seen: Set<[UInt8]> = []
    let wanted = paths.filter { seen.insert(Array($0.utf8)).inserted }
    let batches = stride(from: 0, to: wanted.count, by: Self.batchCount).map {
      Array(wanted[$0..<min($0 + Self.batchCount, wanted.count)])
    }
    try await withThrowingTaskGroup(of: (Int, [Result<Thumbnail, Unreadable>]).self) { group in
      var started = 0
      var taken = 0
      var waiting: [Int: [Result<Thumbnail, Unreadable>]] = [:]
      var isFull = false
      // A slow batch holds up at most so many others, whose thumbnails wait.
      let width = max(1, options.jobs)
      while true {
        while started < batches.count, started - taken < 2 * width, started - taken - waiting.count < width {
          let place = started
          group.addTask { (place, try source.thumbnails(of: batches[place], options)) }
          started += 1
        }
        guard let (place, results) = try await group.next() else { break }
        waiting[place] = results
        while !isFull, let results = waiting.removeValue(forKey: taken) {
          isFull = !take(results, of: batches[taken], options)
          taken += 1
        }
        // What is still in work is of no use; the group waits for it, and for its errors nobody asks.
        if isFull {
          group.cancelAll()
          break
        }
      }
    }
    try Task.checkCancellation()
    leftOutCount = wanted.count - images.count - unreadable.count
  }

  /// Paths in a task: opening a file of records pays for so many.
  private static let batchCount = 16

  /// - Returns: whether there may be room for more.
  private mutating func take(
    _ results: [Result<Thumbnail, Unreadable>], of paths: [String], _ options: ThumbnailOptions
  ) -> Bool {
    for (path, result) in zip(paths, results) {
      switch result {
      case .failure(let error): unreadable.append(Rejection(path: path, reason: error.reason))
      case .success(let thumbnail):
        guard thumbnail.jpeg.count <= options.byteBudget - byteCount else { return false }
        byteCount += thumbnail.jpeg.count
        images[Array(path.utf8)] = thumbnail
      }
    }
    return true
  }
}

/// Why an image has no thumbnail: a sentence without the path.
struct Unreadable: Error {
  let reason: String
}

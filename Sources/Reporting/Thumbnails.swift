import Files
import Imaging
import Records
public import Scoring

/// A small version of an image: a whole JPEG file.
public struct Thumbnail: Hashable, Sendable {
  /// The size in pixels, upright.
  public let width: Int, height: Int
  /// The bytes of the file.
  public let jpeg: [UInt8]
}

/// The size of thumbnails, each and together.
public struct ThumbnailOptions: Hashable, Sendable {
  /// The longer side in pixels; smaller images keep their size.
  public var longestSide = 96
  /// The JPEG quality, 0...100, as libjpeg defines it.
  public var quality = 75
  /// The byte count that all JPEG files may have together. As base64 they take a third more.
  public var byteBudget = 3_500_000
  /// Images with more pixels are refused before memory is allocated.
  public var maximumPixelCount = DecodeOptions.standardMaximumPixelCount
  /// How many batches of images are decoded at once. The thumbnails do not depend on it.
  public var jobs = 2

  /// The options that a report uses.
  public init() {}
}

/// Thumbnails of the most wanted images, as many as the budget allows.
public struct Thumbnails: Sendable {
  private var images: [[UInt8]: Thumbnail] = [:]
  /// Wanted images that could not be read, in the order in which they were wanted, as far as the budget reached.
  public private(set) var unreadable: [Rejection] = []
  /// The number of wanted images that did not fit into the budget.
  public private(set) var leftOutCount = 0
  /// The byte count of all JPEG files.
  public private(set) var byteCount = 0

  /// No thumbnails.
  public init() {}

  /// The number of thumbnails.
  public var count: Int { images.count }

  /// The thumbnail of an image, found by the bytes of its path; `nil` where there is none.
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
      // A slow batch holds up at most this many others, whose thumbnails wait.
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
        // The batches in work are not needed; the group waits for them and ignores their errors.
        if isFull {
          group.cancelAll()
          break
        }
      }
    }
    try Task.checkCancellation()
    leftOutCount = wanted.count - images.count - unreadable.count
  }

  /// Paths for each task, because a file of records is opened once for each.
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

extension ImageSource {
  /// The thumbnails of some images, in their order.
  /// - Throws: `CancellationError`.
  func thumbnails(of paths: [String], _ options: ThumbnailOptions) throws -> [Result<Thumbnail, Unreadable>] {
    switch place {
    case .folder(let folder):
      return try paths.map { path in
        try Task.checkCancellation()
        return made(options) { () throws(Unreadable) in try file(join(folder, path)) }
      }
    case .records(let name, let offsets):
      let reader: RecordReader
      do throws(RecordError) {
        reader = try RecordReader(name)
      } catch {
        return paths.map { _ in .failure(Unreadable(reason: error.sentence)) }
      }
      var results: [Result<Thumbnail, Unreadable>] = []
      for path in paths {
        try Task.checkCancellation()
        guard let offset = offsets[Array(path.utf8)] else {
          results.append(.failure(Unreadable(reason: "it is not among the records")))
          continue
        }
        do throws(RecordError) {
          let record = try reader.read(at: offset)
          let start = try record.parse().imageStart
          results.append(made(options) { () throws(Unreadable) in Array(record.payload[start...]) })
        } catch {
          results.append(.failure(Unreadable(reason: error.sentence)))
        }
      }
      return results
    }
  }

  private func file(_ path: String) throws(Unreadable) -> [UInt8] {
    // The system would take the bytes before the zero for the path.
    if path.utf8.contains(0) { throw Unreadable(reason: "its path has a zero byte") }
    do throws(FileError) {
      return try readFile(path, limit: 1 << 30).bytes
    } catch {
      throw Unreadable(reason: error.sentence)
    }
  }

  private func made(_ options: ThumbnailOptions, _ bytes: () throws(Unreadable) -> [UInt8]) -> Result<
    Thumbnail, Unreadable
  > {
    do throws(Unreadable) {
      let bytes = try bytes()
      return .success(try thumbnail(bytes, options))
    } catch {
      return .failure(error)
    }
  }
}

extension Thumbnail {
  /// A thumbnail of one image file; `nil` where it cannot be decoded.
  package init?(of image: [UInt8], _ options: ThumbnailOptions = ThumbnailOptions()) {
    do throws(Unreadable) {
      self = try thumbnail(image, options)
    } catch {
      return nil
    }
  }
}

private func thumbnail(_ bytes: [UInt8], _ options: ThumbnailOptions) throws(Unreadable) -> Thumbnail {
  do throws(ImageError) {
    let pixels = try decode(bytes.span, DecodeOptions(maximumPixelCount: options.maximumPixelCount))
    let longest = max(pixels.width, pixels.height)
    guard longest > options.longestSide else {
      return Thumbnail(
        width: pixels.width, height: pixels.height,
        jpeg: try encode(pixels, as: .jpeg(quality: options.quality)))
    }
    let size = { (side: Int) in max(1, (side * options.longestSide + longest / 2) / longest) }
    let small = try pixels.resized(width: size(pixels.width), height: size(pixels.height), filter: .area)
    return Thumbnail(
      width: small.width, height: small.height, jpeg: try encode(small, as: .jpeg(quality: options.quality))
    )
  } catch {
    throw Unreadable(reason: error.description)
  }
}

/// Where the images of a report are read from: a folder, or a file of records.
public struct ImageSource: Sendable {
  enum Place: Sendable {
    /// Paths are relative to this folder, unless they are absolute.
    case folder(String)
    /// A `.rec` file, and the offset of each path's record.
    case records(String, offsets: [[UInt8]: Int])
  }
  let place: Place

  /// - Parameter folder: the folder that paths of predictions are relative to.
  public init(folder: String) { place = .folder(folder) }

  /// The images of a `.rec` file.
  ///
  /// A path is found by its line in the `.lst` file of the same name, where there is one; a path that is a number is
  /// also the id of its record. Offsets come from the `.idx` file of the same name; without one, all records are read.
  /// - Throws: `RecordError` or `FileError` where a file that is there cannot be read.
  public init(records path: String) throws {
    let stem = splitExtension(path).stem
    let index =
      FileStamp(path: stem + ".idx") != nil ? try RecordIndex(path: stem + ".idx").entries : try scan(path)
    // The first of repeated ids counts, as everywhere.
    let offsetOfID = Dictionary(index.map { ($0.key, $0.offset) }) { first, _ in first }
    var offsets: [[UInt8]: Int] = [:]
    for (id, offset) in offsetOfID { offsets[Array("\(id)".utf8)] = offset }
    if FileStamp(path: stem + ".lst") != nil {
      var list = try ListReader(stem + ".lst")
      while let line = try list.next() {
        guard case .entry(let entry, _) = line, let offset = offsetOfID[entry.id] else { continue }
        offsets[Array(entry.strippedPath.utf8)] = offset
      }
    }
    place = .records(path, offsets: offsets)
  }
}

/// The ids and offsets of all records that can be read.
private func scan(_ path: String) throws(RecordError) -> [RecordIndex.Entry] {
  var entries: [RecordIndex.Entry] = []
  var reader = try RecordReader(path)
  while true {
    do throws(RecordError) {
      guard let record = try reader.next() else { return entries }
      guard let header = try? record.parse().header else { continue }
      entries.append(RecordIndex.Entry(key: header.id, offset: record.offset))
    } catch {
      if case .file = error.reason { throw error }
      if try reader.resynchronise() == nil { return entries }
    }
  }
}

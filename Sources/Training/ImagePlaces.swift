import Files
import Hyperparameters
import Imaging
import Records

/// Locates images by number and reads their bytes; safe to call from several threads.
protocol ImagePlaces: Sendable {
  func name(of image: Int) -> String
  func withBytes<R>(of image: Int, _ body: (Span<UInt8>) throws -> R) throws -> R
}

/// The records of a `.rec` file.
final class RecordPlaces: ImagePlaces, @unchecked Sendable {  // only positional reads, which change no state
  private let reader: RecordReader
  private let path: String
  private var offsets: [Int] = []
  private var ids: [UInt64] = []

  /// - Throws: `TrainingError` for invalid labels, a damaged file, and a file without images; `RecordError` with the
  ///   byte offset if a record's header is damaged.
  init(_ path: String, channel: String, _ labels: inout LabelStore) throws {
    self.path = path
    do throws(RecordError) {
      reader = try RecordReader(path)
    } catch {
      throw Self.inSageMakersWords(error)
    }
    var scan = try RecordReader(path)
    while let record = try Self.next(&scan) {
      let (header, imageStart) = try record.parse()
      // InsightFace writes records that carry labels but no image.
      if imageStart == record.payload.count && !header.labels.isEmpty { continue }
      try labels.append(header.allLabels.map { Double($0) }) {
        "\(path): byte \(record.offset): record \(header.id)"
      }
      offsets.append(record.offset)
      ids.append(header.id)
    }
    if offsets.isEmpty {
      throw TrainingError("Unable to start training. Empty .rec file in \(channel) channel.")
    }
  }

  private static func next(_ reader: inout RecordReader) throws(TrainingError) -> Record? {
    do throws(RecordError) { return try reader.next() } catch { throw inSageMakersWords(error) }
  }

  private static func inSageMakersWords(_ error: RecordError) -> TrainingError {
    switch error.reason {
    case .badMagic, .otherKind:
      TrainingError(
        "Unable to parse record: The Record IO header does not start with the magic number: \(error)"
      )
    case .truncated: TrainingError("The .rec file is truncated: \(error)")
    default: TrainingError("\(error)")
    }
  }

  func name(of image: Int) -> String { "\(path): byte \(offsets[image]): record \(ids[image])" }

  func withBytes<R>(of image: Int, _ body: (Span<UInt8>) throws -> R) throws -> R {
    let record: ImageRecord
    do throws(RecordError) {
      record = try ImageRecord(.whole(try reader.read(at: offsets[image])))
    } catch {
      throw TrainingError("\(error)")
    }
    return try record.withImage(body)
  }
}

/// Image files named by a list or an augmented manifest.
final class FilePlaces: ImagePlaces {
  private let paths: [String]
  private let root: InputRoot

  /// - Throws: `TrainingError` with the line for a bad line, bad labels or a missing image; `FileError` if the list
  ///   cannot be read.
  init(list: String, root: String, channel: String, _ labels: inout LabelStore) throws {
    self.root = try InputRoot(root)
    var paths: [String] = []
    var reader = try ListReader(list)
    while let line = try reader.next() {
      switch line {
      case .bad(let reason, let number, let text):
        if text.isEmpty { continue }
        throw TrainingError("Invalid lst file in the \(channel) channel. \(list):\(number): \(reason)")
      case .entry(let entry, let number):
        try labels.append(entry.labels) { "\(list):\(number): \(entry.path)" }
        let path = locate(entry.path, root: root).file
        try Self.checkPresence(path, at: "\(list):\(number)")
        paths.append(path)
      }
    }
    if paths.isEmpty {
      throw TrainingError("Invalid lst file in the \(channel) channel. \(list) names no image")
    }
    self.paths = paths
  }

  init(
    manifest: String, _ options: ManifestOptions, channel: String, _ labels: inout LabelStore
  ) throws {
    root = try InputRoot(folderName(manifest))
    var paths: [String] = []
    var choice = LabelChoice(options)
    let bytes = try readFile(manifest).bytes
    for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      .enumerated()
    where !line.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: "\t") }
    ) {
      let place = "\(manifest):\(index + 1)"
      let entry = try ManifestEntry(line, options, at: place)
      let path = join(folderName(manifest), entry.path)
      let found = try entry.labels(&choice, classCount: labels.isMultiLabel ? labels.classCount : nil)
      try labels.append(found) { "\(place): \(path)" }
      try Self.checkPresence(path, at: place)
      paths.append(path)
    }
    if paths.isEmpty {
      throw TrainingError("Unable to start training. Empty manifest in \(channel) channel.")
    }
    self.paths = paths
  }

  /// Reports a missing image before training starts, instead of in the middle of an epoch.
  private static func checkPresence(_ path: String, at place: String) throws(TrainingError) {
    if FileStamp(path: path) == nil { throw TrainingError("\(place): the image \(path) does not exist") }
  }

  func name(of image: Int) -> String { paths[image] }

  func withBytes<R>(of image: Int, _ body: (Span<UInt8>) throws -> R) throws -> R {
    let bytes: [UInt8]
    do throws(FileError) {
      bytes = try readFile(paths[image], limit: 1 << 30).bytes
    } catch {
      // If the root folder itself is gone, the error names that instead of one image.
      if error.isMissing, (try? root.check()) == nil {
        throw TrainingError("\(FileError(.wentAway, path: root.path))")
      }
      throw TrainingError("\(error)")
    }
    return try body(bytes.span)
  }
}

import Files
public import Hyperparameters
public import Imaging
public import Networks
import Records
import Synchronization

/// The labelled images of one channel, addressed by number. Labels are kept in memory; images are read on demand.
public final class TrainingImages: Sendable {
  public let source: TrainingSource
  /// "train" or "validation", for error messages.
  public let channel: String
  /// Labels are below this; for multi-label data, each image has this many.
  public let classCount: Int
  /// Whether an image can have several classes.
  public let isMultiLabel: Bool
  let labels: LabelStore
  private let places: any ImagePlaces

  /// Images in the set.
  public var count: Int { labels.count }

  /// Reads all labels. A `.rec` file is read in one pass over all its records.
  ///
  /// - Throws: `TrainingError` for a label that is not a class, a damaged or truncated file (with the byte offset), a
  ///   bad line, a listed file that does not exist, and a set without images.
  /// - Complexity: O(bytes) for records; O(lines) for a list or a manifest, with one `stat` for each line.
  public init(
    _ source: TrainingSource, channel: String, classCount: Int, isMultiLabel: Bool = false
  ) throws(TrainingError) {
    precondition(classCount >= 1, "classCount must be at least 1")
    var labels = LabelStore(classCount: classCount, isMultiLabel: isMultiLabel)
    do {
      switch source {
      case .records(let path): places = try RecordPlaces(path, channel: channel, &labels)
      case .list(let path, let root):
        places = try FilePlaces(list: path, root: root, channel: channel, &labels)
      case .manifest(let path, let options):
        places = try FilePlaces(manifest: path, options, channel: channel, &labels)
      }
    } catch {
      throw error as? TrainingError ?? TrainingError("\(error)")
    }
    self.labels = labels
    self.source = source
    self.channel = channel
    self.classCount = classCount
    self.isMultiLabel = isMultiLabel
  }

  /// The class of an image or, for multi-label data, all its classes.
  public func classes(of image: Int) -> [Int] { labels.classes(of: image) }

  /// The image's name for messages: a path, or the file, byte offset and id of a record.
  public func name(of image: Int) -> String { places.name(of: image) }

  /// Lends the bytes of an image's file to `body`. Safe to call from any thread.
  /// - Throws: `TrainingError` if the bytes can no longer be read; what `body` throws.
  /// - Complexity: O(bytes); every call reads them from disk.
  public func withBytes<R>(of image: Int, _ body: (Span<UInt8>) throws -> R) throws -> R {
    try places.withBytes(of: image, body)
  }

  /// The number of images of each class, by label.
  public var histogram: [Int] { labels.histogram }

  /// The loss weight of a present class, by label: images without the class divided by images with it, so that both
  /// weigh the same in total; 1 if no image or every image has the class.
  ///
  /// This is the `pos_weight` that PyTorch's BCEWithLogitsLoss documentation recommends. SageMaker documents only that
  /// its weights come from the distribution of classes.
  public var positiveWeights: [Float] {
    histogram.map { $0 > 0 && $0 < count ? Float(count - $0) / Float($0) : 1 }
  }

  /// Checks before training that no image is too small for the preset's shape.
  ///
  /// Images whose header cannot be read are left to `Batches`, which replaces them.
  /// - Throws: `TrainingError` in SageMaker's words, with the first such image and how many there are.
  /// - Complexity: reads every file, but decodes only headers.
  public func checkSizes(_ preset: Preset, workers: Workers) throws(TrainingError) {
    let found = Mutex<[Int: String]>([:])
    let partCount = (count + 63) / 64
    workers.forEach(partCount) { part, _ in
      for image in part * 64..<min(count, part * 64 + 64) {
        let fault = try? withBytes(of: image) { bytes in
          let info = try probe(bytes)
          do throws(ImageError) { try preset.checkSize(info) } catch { return "\(error)" as String? }
          return nil
        }
        if let fault = fault ?? nil { found.withLock { $0[image] = fault } }
      }
    }
    let faults = found.withLock { $0 }
    guard let first = faults.keys.min(), let fault = faults[first] else { return }
    let more =
      faults.count > 1
      ? "; \(faults.count - 1) more of \(count) images in the \(channel) channel are too small" : ""
    throw TrainingError("\(name(of: first)): \(fault)\(more)")
  }
}

extension HyperparameterSet {
  /// Compares the image sets with the hyperparameters, before training.
  ///
  /// - Parameters:
  ///   - batch: images of one update, over all hosts.
  ///   - names: class names by label; may be empty.
  /// - Returns: warnings about a `num_training_samples` that differs from the number of images, and about classes
  ///   without images.
  /// - Throws: `TrainingError` if there are fewer training images than one batch needs.
  public func check(
    train: TrainingImages, validation: TrainingImages?, batch: Int, names: [String] = []
  ) throws(TrainingError) -> [TrainingWarning] {
    guard train.count >= batch else {
      throw TrainingError(
        "The number of input images must be bigger or equal to the mini_batch_size. The \(train.channel) channel has "
          + "\(train.count) images, a batch \(batch)")
    }
    var found: [TrainingWarning] = []
    if numTrainingSamples != train.count {
      found.append(
        TrainingWarning(
          "num_training_samples is \(numTrainingSamples), but the \(train.channel) channel has \(train.count) images; "
            + "the number of images is used"))
    }
    for images in [train, validation].compactMap({ $0 }) {
      if let warning = images.missingClasses(names) { found.append(warning) }
    }
    return found
  }
}

extension TrainingImages {
  /// A warning that names the classes without images; nil if every class has one.
  func missingClasses(_ names: [String]) -> TrainingWarning? {
    let missing = histogram.enumerated().filter { $0.element == 0 }.map(\.offset)
    if missing.isEmpty { return nil }
    let all = missing.map { names.indices.contains($0) ? "\($0) (\(names[$0]))" : "\($0)" }
    return TrainingWarning(
      "the \(channel) channel has no image of \(missing.count == 1 ? "class" : "classes") "
        + shortList(all))
  }
}

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

/// The labels of an image set: for each image its class or, for multi-label data, a 0 or 1 for each class.
struct LabelStore: Sendable {
  let classCount: Int
  let isMultiLabel: Bool
  /// One number for each image, or `classCount` numbers for multi-label data.
  private(set) var values: [Int32] = []

  init(classCount: Int, isMultiLabel: Bool) {
    self.classCount = classCount
    self.isMultiLabel = isMultiLabel
  }

  var count: Int { isMultiLabel ? values.count / classCount : values.count }

  /// - Parameters:
  ///   - labels: the labels of one image as the file has them.
  ///   - place: file, line and image, for the error.
  /// - Throws: `TrainingError` for a label that is not a class, and for a wrong number of labels.
  mutating func append(_ labels: some Collection<Double>, at place: () -> String) throws(TrainingError) {
    if isMultiLabel {
      guard labels.count == classCount else {
        throw TrainingError(
          "Mismatch between number of labels in the multi-label data (\(labels.count)) and the num_classes parameter "
            + "(\(classCount)): \(place())")
      }
      for label in labels {
        guard label == 0 || label == 1 else {
          throw TrainingError(
            "\(place()): the multi-label data has the label \(shortest(label)); 0 or 1 is expected")
        }
        values.append(label == 1 ? 1 : 0)
      }
    } else {
      guard labels.count == 1, let label = labels.first else {
        throw TrainingError(
          "\(place()): the image has \(labels.count) labels, but multi_label is 0; one label is expected")
      }
      guard let number = Int32(exactly: label), (0..<classCount).contains(Int(number)) else {
        throw TrainingError(
          "\(place()): the label is \(shortest(label)), but num_classes is \(classCount); a whole number from 0 to "
            + "\(classCount - 1) is expected")
      }
      values.append(number)
    }
  }

  /// The class of an image or, for multi-label data, all its classes.
  func classes(of image: Int) -> [Int] {
    guard isMultiLabel else { return [Int(values[image])] }
    let start = image * classCount
    return (0..<classCount).filter { values[start + $0] == 1 }
  }

  /// The number of images of each class, by label.
  var histogram: [Int] {
    var counts = [Int](repeating: 0, count: classCount)
    if isMultiLabel {
      for (place, value) in values.enumerated() where value == 1 { counts[place % classCount] += 1 }
    } else {
      for value in values { counts[Int(value)] += 1 }
    }
    return counts
  }
}

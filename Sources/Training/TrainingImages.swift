public import Hyperparameters
public import Imaging
public import Networks
internal import Synchronization

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

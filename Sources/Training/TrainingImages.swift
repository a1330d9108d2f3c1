public import Hyperparameters
public import Imaging
public import Networks
internal import Synchronization

/// The labelled images of one channel, by number. Labels are in memory, images are read when they are asked for.
public final class TrainingImages: Sendable {
  public let source: TrainingSource
  /// "train" or "validation", for messages.
  public let channel: String
  public let classCount: Int
  public let isMultiLabel: Bool
  let labels: LabelStore
  private let places: any ImagePlaces

  public var count: Int { labels.count }

  /// Reads all labels: of a `.rec` file every record, in one pass.
  ///
  /// - Throws: `TrainingError`: labels that are no classes, with their place; a damaged or cut file, with the byte; a line
  ///   that is none; a file in a list that is not there; a set without images.
  /// - Complexity: O(file); of a list, O(lines), and one question to the system a line.
  public init(
    _ source: TrainingSource, channel: String, classCount: Int, isMultiLabel: Bool = false
  ) throws(TrainingError) {
    precondition(classCount >= 1, "there is a class at least")
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

  /// The class of an image; of multi-label data, those that it has.
  public func classes(of image: Int) -> [Int] { labels.classes(of: image) }

  /// Where the image stands, for messages: a path, or the byte and the id of a record.
  public func name(of image: Int) -> String { places.name(of: image) }

  /// Lends the bytes of an image's file. Any thread may call.
  /// - Throws: `TrainingError` where they can no longer be read; what `body` throws.
  /// - Complexity: O(bytes); they are read anew each time.
  public func withBytes<R>(of image: Int, _ body: (Span<UInt8>) throws -> R) throws -> R {
    try places.withBytes(of: image, body)
  }

  /// Images of each class.
  public var histogram: [Int] { labels.histogram }

  /// What a yes of each class weighs against a no, so that both weigh the same in all: the images without the class
  /// for each image with it, as the manual of PyTorch's BCEWithLogitsLoss chooses its `pos_weight`. (SageMaker says of
  /// its own only that they come from the distribution of classes.) 1 for a class of none of the images, or of all.
  public var positiveWeights: [Float] {
    histogram.map { $0 > 0 && $0 < count ? Float(count - $0) / Float($0) : 1 }
  }

  /// Refuses a set with an image out of which the preset's shape cannot be cut, before any training.
  ///
  /// Images whose header cannot be read are left to `Batches`.
  /// - Throws: SageMaker's words, with the first such image and how many there are.
  /// - Complexity: reads every image; decodes none.
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

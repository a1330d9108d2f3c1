public import Files
public import Imaging
public import Records

/// How images become records. The defaults are those of MXNet's im2rec.py.
public struct PackOptions: Sendable {
  public enum Encoding: String, CaseIterable, Sendable { case jpg, png }
  /// What to do with a line whose id an earlier line has; readers of the `.idx` find only one record for each id.
  public enum DuplicateIDs: Sendable { case skip, keep }
  /// How thoroughly a file is checked that is stored unchanged.
  public enum Check: Sendable {
    /// Decode it, which finds all damage.
    case pixels
    /// Check its header, its end, and a PNG's checksums. Damage inside the compressed data of a JPEG goes unnoticed.
    case structure
  }

  /// Pixels of the shorter edge; `nil` keeps the size.
  public var resize: Int?
  /// Crop the central square before resizing.
  public var centerCrop = false
  /// JPEG quality, 0...100, or PNG compression level; a level above 9 counts as 9.
  public var quality = 95
  /// The format of the stored images.
  public var encoding = Encoding.jpg
  public var color = ColorMode.rgb
  /// The interpolation of `resize`.
  public var filter = Filter.linear
  /// Store the bytes of each file unchanged; the options above have no effect then.
  public var passThrough = false
  /// How `passThrough` checks files.
  public var check = Check.pixels
  /// Store all labels of a line that has several; otherwise only the first.
  public var packLabel = false
  /// Pack truncated or damaged images as far as they can be decoded, as OpenCV does.
  public var keepDamaged = false
  /// Throw at the first input that would be skipped and, without `keepDamaged`, at the first doubtful one.
  public var strict = false
  /// Images processed concurrently.
  public var jobs = 1
  /// Images with more pixels are refused before memory for them is allocated.
  public var maximumPixelCount = DecodeOptions.standardMaximumPixelCount
  /// Continue an interrupted run with the same list and options.
  public var resume = false
  /// Pack only this part of the list; nil: all of it.
  public var part: ListShard?
  public var duplicateIDs = DuplicateIDs.skip

  public init() {}

  /// Every option that influences the output, as text. A run can only resume one with the same key.
  var key: String {
    """
    resize=\(resize ?? 0) crop=\(centerCrop) quality=\(quality) encoding=\(encoding.rawValue) \
    color=\(color.rawValue) filter=\(filter.rawValue) pass=\(passThrough) labels=\(packLabel) \
    damaged=\(keepDamaged) check=\(check) pixels=\(maximumPixelCount) part=\(part.map { "\($0.index)/\($0.count)" } ?? "all") \
    duplicates=\(duplicateIDs)
    """
  }

  var decoding: DecodeOptions {
    DecodeOptions(color: color, keepDamaged: keepDamaged, maximumPixelCount: maximumPixelCount)
  }
}

/// The result of `pack`.
public struct PackSummary: Codable, Sendable {
  public var records = 0
  /// The size of the `.rec` file.
  public var bytes = 0
  public var seconds = 0.0
  /// Inputs that were not packed, with the reason.
  public var skipped: [Skip] = []
  /// Packed images that may be damaged; with `keepDamaged` also those that are.
  public var doubtful: [Skip] = []
  /// Sentences about the list: absolute paths, labels that do not occur, ...
  public var warnings: [String] = []
  /// Records kept from an earlier run.
  public var resumed = 0

  /// The end of the warning about dropped labels, by which a program recognizes it and can suggest `packLabel`.
  package static let droppedLabelWords = "of which only the first is stored"
}

/// Why an operation ended without a result; the description is a sentence for the user.
public struct PackingError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    /// With `strict`: this input is doubtful, or would have been skipped.
    case strict(Skip)
    /// Inputs that contradict each other or the options.
    case contradiction(String)
    /// With `strict`: the class folders look like another layout of a data set.
    case layout(String)
    /// The files do not look like all parts of one list in the right order.
    case parts(String)
    /// Two records that are to be merged have the same id.
    case repeatedID(String)
  }
  public let reason: Reason

  public init(_ reason: Reason) { self.reason = reason }

  public var description: String {
    switch reason {
    case .strict(let skip): "\(skip.path): \(skip.reason)"
    case .contradiction(let sentence), .layout(let sentence), .parts(let sentence),
      .repeatedID(let sentence):
      sentence
    }
  }
}

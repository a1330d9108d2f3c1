public import Files
public import Imaging
public import Records

/// How images become records. The defaults are those of MXNet's im2rec.
public struct PackOptions: Sendable {
  public enum Encoding: String, CaseIterable, Sendable { case jpg, png }
  /// What to do with a list line whose id an earlier line has: MXNet finds only one record of an id.
  public enum DuplicateIDs: Sendable { case skip, keep }
  /// What is looked at in a file that is stored as it is.
  public enum Check: Sendable {
    /// All of it: the damage that decoding it would find.
    case pixels
    /// Its header and end, and a PNG's checksums; damage inside the data of a JPEG is not seen.
    case structure
  }

  /// Pixels of the shorter edge; `nil` keeps the size.
  public var resize: Int?
  /// Cut the central square out, before resizing.
  public var centerCrop = false
  /// JPEG: 0...100. PNG: the compression level; above 9 means 9.
  public var quality = 95
  public var encoding = Encoding.jpg
  public var color = ColorMode.rgb
  public var filter = Filter.linear
  /// Store the files' bytes as they are.
  public var passThrough = false
  public var check = Check.pixels
  /// Store all labels of a line that has several; otherwise only the first.
  public var packLabel = false
  /// Take images that are cut short or damaged as far as they can be decoded, as OpenCV does.
  public var keepDamaged = false
  /// Stop at the first input that would be skipped and, without `keepDamaged`, at the first doubtful one.
  public var strict = false
  /// Images in work at once.
  public var jobs = 1
  /// Images with more pixels are refused before memory is taken for them.
  public var maximumPixelCount = DecodeOptions.standardMaximumPixelCount
  /// Go on where an earlier, interrupted run with the same list and options stopped.
  public var resume = false
  /// Only this part of the list.
  public var part: ListShard?
  public var duplicateIDs = DuplicateIDs.skip

  public init() {}

  /// Everything that decides the bytes of the output, as text: runs with the same key can be resumed.
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

/// What a run of `pack` made.
public struct PackSummary: Codable, Sendable {
  public var records = 0
  /// Of the `.rec` file.
  public var bytes = 0
  public var seconds = 0.0
  public var skipped: [Skip] = []
  /// Packed images that a sound file does not look like; with `keepDamaged` also the damaged ones.
  public var doubtful: [Skip] = []
  /// Things worth knowing that lost nothing: absolute paths, labels that do not occur, ...
  public var warnings: [String] = []
  /// Records found whole from an earlier run.
  public var resumed = 0

  /// How a warning ends that says that labels were dropped: a program can tell by it that storing all would help.
  package static let droppedLabelWords = "of which only the first is stored"
}

/// Why a run of a pipeline ended without a result; the description is a sentence for the user.
public struct PackingError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    /// `strict` was asked for, and this input would have been skipped, or is doubtful.
    case strict(Skip)
    /// Inputs that contradict each other or the options.
    case contradiction(String)
    /// `strict` was asked for, and the class folders are hardly classes.
    case layout(String)
    /// Files of records that are hardly the parts of one, in their order.
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

/// The byte layouts of a `.rec` file, on one page. All numbers are little-endian.
///
/// ```text
/// file    = record*                            no file header, no footer, no checksum
/// record  = part(0)                            the whole payload; or, where the payload contains the
///         | part(1) part(2)* part(3)           magic at a multiple of 4, the pieces between the magics
/// part(f) = u32 magic 0xced7230a               bytes 0a 23 d7 ce
///           u32 f << 29 | byteCount            so a record has less than 2^29 bytes
///           byteCount bytes                    parts 1 and 2: a multiple of 4, possibly none
///           0...3 zero bytes                   up to the next multiple of 4
/// payload = u32 flag                           how many labels follow the header
///           f32 label                          the label where flag is 0; else 0 (im2rec.cc: the first label)
///           u64 id, u64 id2                    the id of the list, and 0
///           flag * f32                         the labels
///           the image file
/// ```
/// A reader puts the four bytes of the magic back between two parts. The top three bits of the magic are 6, which is no
/// part's flag, so the second word of a head is never mistaken for a magic: from any multiple of 4, the next record is
/// found by searching for a magic followed by flag 0 or 1.
///
/// The text files: `.idx` has a line `id TAB offset LF` per record, where the offset is that of the record's first
/// byte; `.lst` has a line `id TAB label TAB ... path LF` per image. Source: dmlc-core `recordio.h`, MXNet 1.9.1
/// `recordio.py`, `im2rec.py`.
public enum RecordLayout {
  /// The first word of every part.
  public static let magic: UInt32 = 0xced7_230a
  /// Bytes of a part's head: the magic and the length word.
  public static let headByteCount = 8
  /// In bytes: parts start at multiples of it.
  public static let alignment = 4
  /// The largest length that fits in the 29 bits of a head; a joined record may not be longer either.
  public static let maximumPayloadByteCount = (1 << 29) - 1
  /// Bytes of the flag, label, id and id2; the labels follow.
  public static let imageHeaderByteCount = 24

  /// The flag of a part: the upper 3 bits of its length word.
  enum Part: UInt32 {
    case whole = 0
    case first = 1
    case middle = 2
    case last = 3
  }

  /// The second word of a head.
  static func lengthWord(_ part: Part, byteCount: Int) -> UInt32 {
    part.rawValue << 29 | UInt32(truncatingIfNeeded: byteCount) & 0x1fff_ffff
  }

  static func flag(_ lengthWord: UInt32) -> UInt32 { lengthWord >> 29 }

  static func byteCount(_ lengthWord: UInt32) -> Int { Int(lengthWord & 0x1fff_ffff) }

  /// `byteCount` rounded up to a multiple of 4.
  static func padded(_ byteCount: Int) -> Int { (byteCount + 3) & ~3 }
}

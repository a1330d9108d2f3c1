/// The fixed part of an image record, which stands before the image file: labels and id.
public struct ImageHeader: Hashable, Sendable {
  /// The label where there are no `labels`.
  public var label: Float
  /// The labels behind the header; their count is the header's flag.
  public var labels: [Float]
  /// The id of the list line.
  public var id: UInt64
  /// 0 in every file MXNet writes.
  public var id2: UInt64

  public init(label: Float, labels: [Float] = [], id: UInt64, id2: UInt64 = 0) {
    self.label = label
    self.labels = labels
    self.id = id
    self.id2 = id2
  }

  /// A header with several labels, as MXNet's Python `pack` writes it: the flag is their count, `label` is 0.
  public init(labels: [Float], id: UInt64) {
    self.init(label: 0, labels: labels, id: id)
  }

  /// `labels` where there are any, else `label` alone.
  public var allLabels: [Float] { labels.isEmpty ? [label] : labels }

  /// Bytes on disk, the labels included; a multiple of 4.
  public var byteCount: Int { RecordLayout.imageHeaderByteCount + 4 * labels.count }

  /// The header's bytes, added to `bytes`.
  func append(to bytes: inout [UInt8]) {
    appendWord(UInt32(truncatingIfNeeded: labels.count), to: &bytes)
    appendWord(label.bitPattern, to: &bytes)
    for number in [id, id2] {
      appendWord(UInt32(truncatingIfNeeded: number), to: &bytes)
      appendWord(UInt32(truncatingIfNeeded: number >> 32), to: &bytes)
    }
    for label in labels { appendWord(label.bitPattern, to: &bytes) }
  }

  /// Reads the header at the start of a payload.
  /// - Throws: the reason alone; `.headerTooShort`, `.labelsTooLong`.
  init(parsing payload: Span<UInt8>) throws(HeaderFault) {
    let left = payload.count - RecordLayout.imageHeaderByteCount
    guard left >= 0 else { throw HeaderFault(reason: .headerTooShort(byteCount: payload.count)) }
    let count = Int(word(payload, at: 0))
    guard count <= left / 4 else {
      throw HeaderFault(reason: .labelsTooLong(wanted: 4 * count, left: left))
    }
    label = Float(bitPattern: word(payload, at: 4))
    id = UInt64(word(payload, at: 8)) | UInt64(word(payload, at: 12)) << 32
    id2 = UInt64(word(payload, at: 16)) | UInt64(word(payload, at: 20)) << 32
    labels = []
    labels.reserveCapacity(count)
    for index in 0..<count {
      labels.append(
        Float(bitPattern: word(payload, at: RecordLayout.imageHeaderByteCount + 4 * index)))
    }
  }

  struct HeaderFault: Error {
    let reason: RecordError.Reason
  }
}

/// The little-endian word whose first byte is `bytes[offset]`.
func word(_ bytes: Span<UInt8>, at offset: Int) -> UInt32 {
  UInt32(bytes[offset]) | UInt32(bytes[offset + 1]) << 8 | UInt32(bytes[offset + 2]) << 16
    | UInt32(bytes[offset + 3]) << 24
}

/// Adds the four bytes of `word`, the lowest first.
func appendWord(_ word: UInt32, to bytes: inout [UInt8]) {
  for place in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: word >> UInt32(8 * place))) }
}

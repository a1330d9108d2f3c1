/// What stands at a place of a `.rec` file where a record should begin.
package enum StreamedRecord: Sendable {
  case whole(Record)
  case damaged(RecordError)

  /// The next one; after a damaged record, reading goes on at the next place where one can begin.
  package static func next(_ reader: inout RecordReader) throws -> StreamedRecord? {
    do throws(RecordError) {
      return try reader.next().map { .whole($0) }
    } catch {
      if case .file(let failure) = error.reason { throw failure }
      if try reader.resynchronise() == nil && error.offset >= reader.byteCount { return nil }
      return .damaged(error)
    }
  }
}

/// A record taken apart: its header, and its image as a part of the payload.
package struct ImageRecord: Sendable {
  package let header: ImageHeader
  package let offset: Int
  private let payload: [UInt8]
  private let imageStart: Int

  /// - Throws: the damage, where there is some.
  package init(_ streamed: StreamedRecord) throws(RecordError) {
    switch streamed {
    case .whole(let record): try self.init(record)
    case .damaged(let error): throw error
    }
  }

  package init(_ record: Record) throws(RecordError) {
    let (header, imageStart) = try record.parse()
    self.header = header
    self.imageStart = imageStart
    offset = record.offset
    payload = record.payload
  }

  /// Bytes of the encoded image.
  package var imageByteCount: Int { payload.count - imageStart }

  /// Lends the encoded image.
  package func withImage<R, E: Error>(_ body: (Span<UInt8>) throws(E) -> R) throws(E) -> R {
    try body(payload.span.extracting(imageStart..<payload.count))
  }

  /// InsightFace's face sets keep in record 0 the range of the identities and in one record for each identity the
  /// range of its images: labels, and no image.
  package var isLabelRecord: Bool { imageStart == payload.count && !header.labels.isEmpty }

  /// The first label as a user writes it: "5", "0.25".
  package var labelName: String { name(ofLabel: header.allLabels.first ?? header.label) }
}

/// A label as a user writes it: whole numbers without a point.
package func name(ofLabel label: Float) -> String {
  Int(exactly: label).map { "\($0)" } ?? "\(label)"
}

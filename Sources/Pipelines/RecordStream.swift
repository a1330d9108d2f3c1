import Files
package import Records

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

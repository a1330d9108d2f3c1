import CArchive
import Files
import Glibc

/// Writes a `model.tar.gz` as SageMaker expects it: the files flat at the root. The same files give the same bytes: times
/// are 0, owners are 0, modes are 644.
///
/// - Parameters:
///   - path: gets its name when the archive is whole.
///   - files: paths, in the order of the archive; each under its last component.
/// - Throws: where a file cannot be read or changes meanwhile, or the disk is full; the path then holds what it held.
public func writeModelArchive(_ path: String, files: [String]) throws(ModelError) {
  let sink = try ArchiveSink(path)
  do throws(ModelError) {
    try write(files, to: sink, path: path)
    try sink.publish()
  } catch {
    sink.discard()
    throw error
  }
}

private func write(_ files: [String], to sink: ArchiveSink, path: String) throws(ModelError) {
  guard let archive = unsafe archive_write_new() else { throw ModelError("\(path): memory is lacking") }
  defer { unsafe archive_write_free(archive) }
  func check(_ status: Int32) throws(ModelError) {
    guard status < ARCHIVE_WARN else { return }
    if let failure = sink.failure { throw failure }
    let text = unsafe archive_error_string(archive).map { unsafe String(cString: $0) }
    throw ModelError("\(path): the archive cannot be written: \(text ?? "error \(status)")")
  }
  try unsafe check(archive_write_set_format_ustar(archive))
  try unsafe check(archive_write_add_filter_gzip(archive))
  // Else the time of the writing stands in the file.
  try unsafe check(archive_write_set_options(archive, "gzip:!timestamp,gzip:compression-level=6"))
  try unsafe check(
    archive_write_open(
      archive, Unmanaged.passUnretained(sink).toOpaque(), nil,
      { _, sink, bytes, count in
        guard let sink = unsafe sink, let bytes = unsafe bytes else { return -1 }
        let span = unsafe Span<UInt8>(
          _unsafeElements: UnsafeBufferPointer(
            start: bytes.assumingMemoryBound(to: UInt8.self), count: count))
        return unsafe Unmanaged<ArchiveSink>.fromOpaque(sink).takeUnretainedValue().append(span) ? count : -1
      }, nil))
  for file in files { try unsafe add(file, archive, check) }
  try unsafe check(archive_write_close(archive))
}

private func add(
  _ path: String, _ archive: OpaquePointer, _ check: (Int32) throws(ModelError) -> Void
) throws(ModelError) {
  let file = try openFile(path)
  guard let entry = unsafe archive_entry_new() else { throw ModelError("\(path): memory is lacking") }
  defer { unsafe archive_entry_free(entry) }
  unsafe archive_entry_set_pathname(entry, baseName(path))
  unsafe archive_entry_set_filetype(entry, S_IFREG)
  unsafe archive_entry_set_perm(entry, 0o644)
  unsafe archive_entry_set_size(entry, Int64(file.byteCount))
  unsafe archive_entry_set_mtime(entry, 0, 0)
  try unsafe check(archive_write_header(archive, entry))
  var block = [UInt8](repeating: 0, count: 1 << 18)
  var done = 0
  while done < file.byteCount {
    let got: Int
    do {
      var span = block.mutableSpan
      var raw = unsafe span.mutableBytes
      got = try file.read(at: done, into: &raw)
    } catch { throw ModelError(error) }
    guard got > 0 else { break }
    let wanted = min(got, file.byteCount - done)
    let written = unsafe block.withUnsafeBytes { unsafe archive_write_data(archive, $0.baseAddress, wanted) }
    if written < 0 { try check(Int32(clamping: written)) }
    guard written == wanted else { throw ModelError("\(path): it cannot be put into the archive") }
    done += wanted
  }
  guard done == file.byteCount, file.isUnchanged() else {
    throw ModelError("\(path): it was changed while it was being read")
  }
}

/// Takes the archive's bytes from the library's callback.
private final class ArchiveSink {
  private var file: StagedFile?
  private(set) var failure: ModelError?

  init(_ path: String) throws(ModelError) {
    do { file = try StagedFile(path) } catch { throw ModelError(error) }
  }

  /// Whether they could be written; `failure` says why not.
  func append(_ bytes: Span<UInt8>) -> Bool {
    do throws(FileError) {
      try file?.append(bytes)
      return true
    } catch {
      failure = ModelError(error)
      return false
    }
  }

  func publish() throws(ModelError) {
    guard let file = file.take() else { return }
    do { try file.publish() } catch { throw ModelError(error) }
  }

  func discard() { if let file = file.take() { file.discard() } }
}

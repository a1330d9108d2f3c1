import CArchive
import Files
import Glibc

/// The files of an MXNet model in a tar archive, read in one pass. Nothing is written under a name from the archive: the
/// large files go to unnamed temporary files, the small ones to memory.
struct ModelArchive {
  private(set) var small: [ByteName: [UInt8]] = [:]
  private(set) var large: [ByteName: UnnamedFile] = [:]
  /// The first names of models of other formats.
  private(set) var others: [String] = []
  private let path: String
  private let epoch: Int?
  /// The most bytes that the archive may unpack to.
  private let limit: Int
  /// The folder in the archive that the model's files are in.
  private var folder: String?
  private var unpackedByteCount = 0
  private var entryCount = 0

  private static let blockByteCount = 1 << 17
  private static let largestEntryCount = 10_000
  /// Weights hardly compress. What grows more than this is a decompression bomb, or a model of nothing but zeros.
  private static let largestRatio = 200
  /// What any archive may unpack to, whatever the ratio.
  private static let freeByteCount = 64 << 20

  /// - Throws: where the archive cannot be read, unpacks to more than `limit` or to more than a model of its size can, or
  ///   has an entry that is a link or a device, or leads out of the archive.
  init(_ path: String, epoch: Int?, limit: Int) throws(ModelError) {
    self.path = path
    self.epoch = epoch
    let archivedByteCount = try openFile(path).byteCount
    self.limit = min(limit, Self.freeByteCount + Self.largestRatio * min(archivedByteCount, 1 << 40))
    guard let archive = unsafe archive_read_new() else { throw ModelError("\(path): out of memory") }
    defer { unsafe archive_read_free(archive) }
    unsafe archive_read_support_filter_gzip(archive)
    unsafe archive_read_support_format_tar(archive)
    try unsafe check(archive_read_open_filename(archive, path, Self.blockByteCount), archive)
    while true {
      var entry: OpaquePointer?
      let status = unsafe archive_read_next_header(archive, &entry)
      if status == ARCHIVE_EOF { break }
      try unsafe check(status, archive)
      if let entry = unsafe entry { try unsafe take(entry, archive) }
    }
    try verify()
  }

  /// Verifies the checksum of a compressed archive. Without it, a changed byte is a changed weight.
  private func verify() throws(ModelError) {
    let file = try openFile(path)
    guard let start = try? readStart(of: path, byteCount: 2), start == [0x1f, 0x8b] else { return }
    do {
      // Headers and padding come to what the files have.
      try verifyGzip(file, limit: limit + (2 * Self.largestEntryCount + 64) << 10)
    } catch {
      throw ModelError("\(path): the archive is damaged: \(error)")
    }
  }

  private func check(_ status: Int32, _ archive: OpaquePointer) throws(ModelError) {
    guard status < ARCHIVE_WARN else { return }
    if entryCount == 0, let kind = kindInGzip(path), kind != .tar, kind != .gzip {
      throw ModelError("\(path): this is gzip-compressed, with \(kind) in it; a tar archive is expected")
    }
    let text = unsafe archive_error_string(archive).map { unsafe String(cString: $0) }
    throw ModelError(
      "\(path): this is neither a folder nor a complete tar archive: \(text ?? "it cannot be read")")
  }

  private mutating func take(_ entry: OpaquePointer, _ archive: OpaquePointer) throws(ModelError) {
    entryCount += 1
    guard entryCount <= Self.largestEntryCount else {
      throw ModelError("\(path): it has more than \(Self.largestEntryCount) entries")
    }
    guard let name = unsafe archive_entry_pathname(entry).flatMap({ unsafe String(validatingCString: $0) })
    else {
      throw ModelError("\(path): the name of entry \(entryCount) is not UTF-8")
    }
    // By bytes: to Swift a slash and a combining mark after it are another character.
    let parts = name.utf8.split(separator: UInt8(ascii: "/")).map { String(decoding: $0, as: UTF8.self) }
      .filter { $0 != "." }
    guard !name.hasBytePrefix("/"), !parts.contains("..") else {
      throw ModelError("\(path): \(shown(name)): an entry leads out of the archive")
    }
    let isLink = unsafe archive_entry_hardlink(entry) != nil || archive_entry_symlink(entry) != nil
    let kind = unsafe archive_entry_filetype(entry)
    if kind == S_IFDIR && !isLink { return }
    guard kind == S_IFREG, !isLink else {
      throw ModelError("\(path): \(shown(name)): an entry is a link or a device; regular files are expected")
    }
    let size = unsafe Int(archive_entry_size(entry))
    guard size >= 0, unsafe archive_entry_size_is_set(entry) != 0, size <= limit - unpackedByteCount else {
      throw ModelError(
        "\(path): \(shown(name)): with this entry of \(size) bytes the archive unpacks to more than \(limit) bytes"
      )
    }
    unpackedByteCount += size
    guard let base = parts.last, !parts.contains(where: isLitter) else { return }
    guard let role = CheckpointFiles.Role(base) else {
      if others.count < 8, CheckpointFiles.isOtherModel(base) { others.append(name) }
      return
    }
    let key = ByteName(base)
    let folder = parts.dropLast().joined(separator: "/")
    guard self.folder.map({ hasSameBytes($0, folder) }) ?? true else {
      throw ModelError(
        "\(path): there are model files in two folders, \(shown(self.folder ?? "")) and \(shown(folder)); one is expected"
      )
    }
    self.folder = folder
    guard small[key] == nil, large[key] == nil else {
      throw ModelError("\(path): \(shown(name)) appears twice in the archive")
    }
    if case .parameters(let stem, let epoch) = role {
      if try isWanted(stem, epoch) { large[key] = try unsafe stage(size, name, archive) }
    } else {
      guard size <= Symbol.largestByteCount else {
        throw ModelError(
          "\(path): \(shown(name)): it has \(size) bytes, more than the \(Symbol.largestByteCount) allowed here"
        )
      }
      var bytes: [UInt8] = []
      bytes.reserveCapacity(size)
      try unsafe read(size, name, archive) { (block: Span<UInt8>) throws(ModelError) in
        for place in block.indices { bytes.append(block[place]) }
      }
      small[key] = bytes
    }
  }

  /// Whether the epoch is the requested one or, without a request, the highest so far; lower ones are then dropped.
  private mutating func isWanted(_ stem: ByteName, _ epoch: Int) throws(ModelError) -> Bool {
    if let wanted = self.epoch { return wanted == epoch }
    for name in large.keys {
      guard case .parameters(stem, let other) = CheckpointFiles.Role(name.text) else { continue }
      if other > epoch { return false }
      large[name] = nil
    }
    return true
  }

  private func stage(_ size: Int, _ name: String, _ archive: OpaquePointer) throws(ModelError) -> UnnamedFile
  {
    let file = try UnnamedFile(for: "\(path): \(name)")
    try unsafe read(size, name, archive) { (block: Span<UInt8>) throws(ModelError) in try file.append(block) }
    return file
  }

  private func read(
    _ size: Int, _ name: String, _ archive: OpaquePointer,
    _ body: (Span<UInt8>) throws(ModelError) -> Void
  ) throws(ModelError) {
    var block = [UInt8](repeating: 0, count: Self.blockByteCount)
    var done = 0
    while true {
      let got = unsafe block.withUnsafeMutableBytes {
        unsafe archive_read_data(archive, $0.baseAddress, $0.count)
      }
      if got == 0 { break }
      guard got > 0 else { return try unsafe check(Int32(clamping: got), archive) }
      done += got
      guard done <= size else { break }
      try body(block.span.extracting(first: got))
    }
    guard done == size else {
      throw ModelError("\(path): \(shown(name)): it has \(done) bytes; its header announces \(size)")
    }
  }
}

/// The kind of file that is compressed in this one; nil where that cannot be read or its first bytes show none.
private func kindInGzip(_ path: String) -> FileKind? {
  guard let archive = unsafe archive_read_new() else { return nil }
  defer { unsafe archive_read_free(archive) }
  unsafe archive_read_support_filter_gzip(archive)
  unsafe archive_read_support_format_raw(archive)
  var entry: OpaquePointer?
  guard unsafe archive_read_open_filename(archive, path, 1 << 12) == ARCHIVE_OK,
    unsafe archive_read_next_header(archive, &entry) == ARCHIVE_OK
  else { return nil }
  var start = [UInt8](repeating: 0, count: 512)
  let got = unsafe start.withUnsafeMutableBytes {
    unsafe archive_read_data(archive, $0.baseAddress, $0.count)
  }
  guard got >= 0 else { return nil }
  return FileKind(start.span.extracting(first: got))
}

/// A temporary file without a name: it is gone when the value is, however the program ends.
final class UnnamedFile: Sendable {
  private let descriptor: Int32
  private let label: String
  private static let remedy = "set TMPDIR to a folder that can be written to and has room for the model"

  /// In TMPDIR, else in /tmp.
  init(for label: String) throws(ModelError) {
    let folder = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
    var template = Array((join(folder, "imrec-XXXXXX")).utf8CString)
    descriptor = unsafe mkstemp(&template)
    self.label = label
    guard descriptor >= 0 else {
      let error = FileError(.system(call: "write", code: errno), path: folder)
      throw ModelError("\(label): a temporary copy cannot be made in \(error); \(Self.remedy)")
    }
    unsafe unlink(template)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
  }

  deinit { close(descriptor) }

  func append(_ bytes: Span<UInt8>) throws(ModelError) {
    if let code = writeAll(bytes, to: descriptor) {
      let error = FileError(.system(call: "write", code: code), path: label)
      throw ModelError("\(label): a temporary copy cannot be made: \(error.sentence); \(Self.remedy)")
    }
  }

  /// Opens what was written as a `.params` file.
  func parameters(label: String) throws(ModelError) -> Parameters {
    Parameters(try ParameterFile.open(try openFile("/proc/self/fd/\(descriptor)"), label: label))
  }
}

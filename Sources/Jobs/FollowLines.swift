import Dispatch
import Files
import Glibc

/// Passes on the lines of a file as they are written while `body` runs, and the rest of them when it has ended.
///
/// The file may be appended to, or be replaced by one that begins with the same lines, as a trainer's `metrics.jsonl` is;
/// it need not exist at first. A line is passed on when it is complete; the last one also without a line end.
///
/// - Parameters:
///   - path: the file, whose folder must exist.
///   - skipped: how many lines at the start are skipped: those of an earlier run.
///   - take: called with one line after the other, without the line end; a line is cut after 64 KiB.
///   - body: what writes the file.
/// - Returns: what `body` returns.
/// - Throws: what `body` throws; `JobError` where the folder cannot be watched. A file that cannot be read is *not* an error.
/// - Complexity: no work while nothing is written; a file that was replaced is read again from its start.
public func followLines<Result: Sendable>(
  of path: String, skipping skipped: Int = 0, take: @escaping @Sendable (String) async -> Void,
  during body: @Sendable () async throws -> Result
) async throws -> Result {
  let watch = try FolderWatch(folderName(path))
  let changes = watch.changes
  async let last: LineReader = {
    var reader = LineReader(path, skipping: skipped)
    // What was written before the watch began.
    for line in reader.next() { await take(line) }
    for await _ in changes {
      for line in reader.next() { await take(line) }
    }
    return reader
  }()
  let result: Swift.Result<Result, any Error>
  do { result = .success(try await body()) } catch { result = .failure(error) }
  watch.finish()
  var reader = await last
  for line in reader.next(isLast: true) { await take(line) }
  return try result.get()
}

/// The lines of the end of a log, cut as `followLines` cuts them.
///
/// - Parameters:
///   - path: the log.
///   - byteCount: how much of the log's end is read at most; a line that begins before that is left out.
/// - Returns: the lines, the last one also without a line end; none where no log can be read.
public func lastLines(of path: String, byteCount: Int) -> [String] {
  guard let end = try? readEnd(of: path, byteCount: byteCount) else { return [] }
  let lines = end.bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
  // Behind the last line end is no line.
  let whole = lines.dropFirst(end.offset > 0 ? 1 : 0)
  return (whole.last?.isEmpty == true ? whole.dropLast() : whole).map { LineReader.text(of: $0) }
}

/// The number of lines of a file; 0 where there is no file.
public func lineCount(of path: String) -> Int {
  var reader = LineReader(path, skipping: 0)
  return reader.next(isLast: true).count
}

/// What a program said last in its log: the last line that begins with one of these prefixes, without the prefix.
///
/// - Parameters:
///   - path: the log.
///   - start: the byte offset at which this run's part of the log begins.
///   - byteCount: how much of the log's end is read at most.
///   - prefixes: what the program's own messages begin with.
///   - otherwiseAny: whether the last line is taken where none has such a prefix.
/// - Returns: nil where there is no such line, or no log that can be read.
public func lastWords(
  of path: String, from start: Int = 0, byteCount: Int, prefixes: [String], otherwiseAny: Bool = false
) -> String? {
  guard let end = try? readEnd(of: path, byteCount: byteCount) else { return nil }
  let text = String(decoding: end.bytes.dropFirst(max(0, start - end.offset)), as: UTF8.self)
  let lines = text.split(whereSeparator: \.isNewline)
  for line in lines.reversed() {
    if let prefix = prefixes.first(where: line.hasPrefix) { return String(line.dropFirst(prefix.count)) }
  }
  return otherwiseAny ? lines.last.map(String.init) : nil
}

/// Reads the complete lines that were added to a file since the last call.
struct LineReader {
  private let path: String
  private var identity: (device: dev_t, number: ino_t)?
  private var offset = 0
  private var rest: [UInt8] = []
  /// How many lines of this file were passed on; a file that replaces it begins with as many, which are skipped.
  private var taken: Int
  private var toSkip: Int

  private static let longestLine = 1 << 16

  static func text(of line: some Collection<UInt8>) -> String {
    String(decoding: line.prefix(longestLine), as: UTF8.self)
  }

  init(_ path: String, skipping skipped: Int) {
    self.path = path
    (taken, toSkip) = (0, skipped)
  }

  /// The lines that were added.
  ///
  /// - Parameter isLast: whether a line without a line end counts, too.
  mutating func next(isLast: Bool = false) -> [String] {
    var lines: [String] = []
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    if descriptor >= 0 {
      defer { close(descriptor) }
      var info = stat()
      if unsafe fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG {
        restart(ifOther: info)
        read(descriptor, &lines)
      }
    }
    if isLast, !rest.isEmpty {
      finish(&lines)
    }
    return lines
  }

  private mutating func restart(ifOther info: stat) {
    if let identity, identity == (info.st_dev, info.st_ino), Int(info.st_size) >= offset { return }
    if identity != nil { toSkip += taken }
    identity = (info.st_dev, info.st_ino)
    (offset, taken, rest) = (0, 0, [])
  }

  private mutating func read(_ descriptor: Int32, _ lines: inout [String]) {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let place = off_t(offset)
      let count = unsafe buffer.withUnsafeMutableBytes {
        unsafe pread(descriptor, $0.baseAddress, $0.count, place)
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return }
      offset += count
      for byte in buffer[..<count] {
        if byte == UInt8(ascii: "\n") {
          finish(&lines)
        } else if rest.count < Self.longestLine {
          rest.append(byte)
        }
      }
    }
  }

  private mutating func finish(_ lines: inout [String]) {
    taken += 1
    if toSkip > 0 {
      toSkip -= 1
    } else {
      lines.append(Self.text(of: rest))
    }
    rest = []
  }
}

/// Reports when something in a folder was written, created or renamed: by inotify, without polling.
final class FolderWatch {
  /// One element for any number of changes since the last element was taken. Ends with `finish`.
  let changes: AsyncStream<Void>
  private let changed: AsyncStream<Void>.Continuation
  private let source: any DispatchSourceRead

  /// - Throws: where the folder does not exist, or the system's limit of watches is reached.
  init(_ folder: String) throws(JobError) {
    let descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
    guard descriptor >= 0 else {
      throw JobError(.system(what: "the folder cannot be watched", code: errno), path: folder)
    }
    let kinds = UInt32(IN_MODIFY) | UInt32(IN_CREATE) | UInt32(IN_MOVED_TO) | UInt32(IN_CLOSE_WRITE)
    guard unsafe inotify_add_watch(descriptor, folder, kinds) >= 0 else {
      let code = errno
      close(descriptor)
      throw JobError(.system(what: "the folder cannot be watched", code: code), path: folder)
    }
    let (changes, changed) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    (self.changes, self.changed) = (changes, changed)
    source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: .global())
    source.setEventHandler {
      var events = [UInt8](repeating: 0, count: 1 << 14)
      let size = events.count
      while unsafe events.withUnsafeMutableBytes({ unsafe read(descriptor, $0.baseAddress, size) }) > 0 {}
      changed.yield()
    }
    source.setCancelHandler { close(descriptor) }
    source.resume()
  }

  func finish() { changed.finish() }

  deinit {
    changed.finish()
    source.cancel()
  }
}
